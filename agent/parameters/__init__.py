"""The runner config in SSM: reading it, checking it, deleting it."""
