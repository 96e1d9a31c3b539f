"""Prefect's API as the flow's own: in a thread of its process, or where this Prefect cannot be served so, in a process beside it."""
