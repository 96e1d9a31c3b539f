"""The pipeline: Prefect flow, its hooks, the order of the end."""
