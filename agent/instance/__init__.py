"""The EC2 instance itself: its metadata, its termination, its power switch."""
