"""The agent's own log lines: a stable name, then `key=value` fields (`runner.started pid=4711`)."""

import json
import logging
from typing import Any


def event(
    logger: logging.Logger, name: str, /, *, level: int = logging.INFO, **fields: object
) -> None:
    """Logs one event. Values with spaces or quotes are written as JSON strings; None is left out.

    A value never ends the line: whoever reads events back must not take a job's name for one.
    """
    words = [
        name,
        *(f"{key}={_value(value)}" for key, value in fields.items() if value is not None),
    ]
    logger.log(level, "%s", " ".join(words))


def warning(logger: logging.Logger, name: str, /, **fields: object) -> None:
    """As `event`, for what a person should look at although the run goes on."""
    event(logger, name, level=logging.WARNING, **fields)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    plain = text and text.isprintable() and not any(c in text for c in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())
