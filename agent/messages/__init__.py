"""The messages to the orchestrator (contract section 5)."""
