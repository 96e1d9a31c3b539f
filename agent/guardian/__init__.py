"""The parent process: starts the flow, outlives it, and brings about the end when the flow did not."""
