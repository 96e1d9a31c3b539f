"""The machine of the stages' tests: a task is looked at where it calls its stage."""

from tests.unit.stages.conftest import machine, make_machine

__all__ = ["machine", "make_machine"]
