"""Plain code of the agent. It never imports `prefect`, `tasks` or `flows`."""

__version__ = "0.1.0"
