"""Takes one of the flow's shortcuts out of a flow process: that which WITHOUT names."""

import os
import sys
from importlib import import_module
from types import SimpleNamespace


def _flow_process() -> bool:
    return "flows" in sys.orig_argv


def _nothing(*_: object, **__: object) -> None:
    """Stands where a shortcut was."""


def _patch(without: str) -> None:
    module, name, instead = {
        "collector off": (
            "flows.imports",
            "gc",
            SimpleNamespace(disable=_nothing, enable=_nothing, freeze=_nothing),
        ),
        "few routes": ("flows.api.slim", "with_few_routes", _nothing),
        "modules left out": ("flows.api.slim", "leave_out", _nothing),
        "models built late": ("flows.api.slim", "defer_models", _nothing),
        "tables loaded": ("flows.api.database", "prepare", lambda _home: True),
        "prefetch": ("agent.stages.prefetch", "_work", _nothing),
    }[without]
    setattr(import_module(module), name, instead)


if _flow_process() and os.environ.get("WITHOUT"):
    _patch(os.environ["WITHOUT"])
