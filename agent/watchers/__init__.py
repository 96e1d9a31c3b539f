"""What watches the machine beside the job: one rule each, `reading -> verdict`, and the loop that asks them."""
