"""The same tasks without Prefect's engine: their decorators' retries, pauses and limits hold all the same."""

import asyncio

import pytest
from prefect import task

from agent.errors import AwsError
from tasks.calling import plainly
from tasks.policy import when_transient

PASSES = AwsError("throttled", mend="x", transient=True)
STAYS = AwsError("refused", mend="x")


class Stage:
    """Fails as often as it is told to."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.tries = 0

    def run(self) -> str:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


@task(retries=2, retry_delay_seconds=[0.01, 0.02], retry_condition_fn=when_transient)
async def patient(stage: Stage) -> str:
    return stage.run()


@task(retries=1)
async def stubborn(stage: Stage) -> str:
    return stage.run()


@task(timeout_seconds=0.05)
async def limited(_stage: Stage) -> str:
    await asyncio.Event().wait()
    return "never"


def test_what_may_pass_is_tried_again() -> None:
    stage = Stage(PASSES, PASSES)
    assert asyncio.run(plainly(patient, stage)) == "done"
    assert stage.tries == 3


def test_not_more_often_than_the_decorator_says() -> None:
    stage = Stage(PASSES, PASSES, PASSES)
    with pytest.raises(AwsError, match="throttled"):
        asyncio.run(plainly(patient, stage))
    assert stage.tries == 3


def test_a_refusal_is_final() -> None:
    stage = Stage(STAYS)
    with pytest.raises(AwsError, match="refused"):
        asyncio.run(plainly(patient, stage))
    assert stage.tries == 1


def test_without_a_condition_everything_is_tried_again() -> None:
    stage = Stage(STAYS)
    assert asyncio.run(plainly(stubborn, stage)) == "done"
    assert stage.tries == 2


def test_the_limit_of_the_decorator_holds() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(plainly(limited, Stage()))
