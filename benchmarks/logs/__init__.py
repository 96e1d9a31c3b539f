"""`make bench-logs`: what it costs to ship a million lines."""
