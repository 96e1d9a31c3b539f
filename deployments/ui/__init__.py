"""`make ui`: a Prefect server with its web UI on loopback, and runs of the flow to look at. For developers; an instance never has it."""
