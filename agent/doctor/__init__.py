"""`runs-fleet-agent doctor`: looks at what `run` needs before it is needed."""
