"""One Prefect task a stage: retries, back-off, timeout and name, and one call into plain code."""
