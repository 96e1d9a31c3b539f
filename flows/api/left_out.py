"""Modules that Prefect's server imports and that no run of a flow ever calls: a placeholder stands where each would be.

They are a third of what the server imports: a queue for background work with its Redis client, the blocks that notify people,
the routes of workers and deployments. All of this is private to Prefect, so it is tied to the release that it was made for:
`flows.api.slim` asks for that release first, and a test runs a flow against the outcome.
"""

import inspect
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

LEFT_OUT = (
    # Prefect's queue for the server's background work; nothing in an ephemeral server gives it any that a run needs.
    "docket",
    # Blocks that tell people of events: automations use them, and there are none on an instance.
    "prefect.blocks.notifications",
    "prefect.blocks.webhook",
    # Routes of workers, which poll for work; `flow_runs` asks them for the work pool of a deployment.
    "prefect.server.api.workers",
    # Names for runs that have none; ours has its own.
    "coolname",
    # The whole stock app; a rule asks it for one function.
    "prefect.server.api.server",
)


class _Anything(type):
    """Whatever a module asks of a name while it is imported: call it, take an attribute, subscript it, inherit from it."""

    def __call__(cls, *_: object, **__: object) -> object:
        return super().__call__()

    def __getattr__(cls, name: str) -> "_Anything":
        if name.startswith("__"):
            raise AttributeError(name)
        return cls

    def __getitem__(cls, _: object) -> "_Anything":
        return cls


class _Placeholder(ModuleType):
    """A module in which every name is there."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        # FastAPI reads the signature of what a route depends on, and would ask each request for `*args`.
        made = _Anything(name, (), {"__module__": self.__name__, "__signature__": inspect.Signature()})  # fmt: skip
        setattr(self, name, made)
        return made


class _Finder(MetaPathFinder, Loader):
    def __init__(self, names: Sequence[str], given: Mapping[str, Mapping[str, object]]) -> None:
        self._names = tuple(names)
        self._below = tuple(f"{name}." for name in names)
        self._given = given

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname in self._names or fullname.startswith(self._below):
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Placeholder(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(self._given.get(module.__name__, {}))


def leave_out(given: Mapping[str, Mapping[str, object]]) -> None:
    """From now on an import of a module in `LEFT_OUT`, or below one, gives a placeholder.

    Args:
        given: by module, the names that must be more than a placeholder.
    """
    sys.meta_path.insert(0, _Finder(LEFT_OUT, given))
