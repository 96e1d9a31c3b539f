"""`python -m flows.api.serve PORT`: Prefect's API server on loopback, as `flows.api.process` starts it."""

import sys
from importlib import import_module

import uvicorn

from flows.imports import undisturbed

SERVER = "prefect.server.api.server"


def main(port: int) -> None:
    """Serves until it is killed."""
    with undisturbed():
        import_module(SERVER)
    uvicorn.run(
        f"{SERVER}:create_app",
        factory=True,
        host="127.0.0.1",
        port=port,
        log_level="error",
        lifespan="on",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
