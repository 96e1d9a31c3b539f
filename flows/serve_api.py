"""`python -m flows.serve_api PORT`: Prefect's API server on loopback, as `api_server` starts it."""

import sys

import uvicorn

from flows.imports import import_heavy

SERVER = "prefect.server.api.server"


def main(port: int) -> None:
    """Serves until it is killed."""
    import_heavy(SERVER)
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
