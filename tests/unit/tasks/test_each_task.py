"""Each task as a plain coroutine (`.fn`), in the pipeline's order, against the embedded cloud and without Prefect's engine."""

import asyncio
from concurrent.futures import Future

from agent.outcome import Outcome, Reason
from agent.stages.context import RunContext
from tasks.clean_up import clean_up
from tasks.download import download, fill_cache
from tasks.execute import execute
from tasks.fetch_config import delete_parameters, fetch_config
from tasks.notify import notify
from tasks.register import register
from tasks.terminate import terminate
from tasks.verify import verify
from tests.unit.stages.conftest import Machine


async def one_after_the_other(run: RunContext, machine: Machine) -> Outcome:
    config = await fetch_config.fn(run, machine.in_seconds(5))
    staged = await verify.fn(run, await download.fn(run))
    assert await fill_cache.fn(run, staged)
    await register.fn(run, config)
    loop, told = asyncio.get_running_loop(), list[Future[bool]]()

    def tell() -> None:
        told.append(asyncio.run_coroutine_threadsafe(notify.fn(run, "started"), loop))

    outcome = await execute.fn(run, tell)
    assert await asyncio.wrap_future(told[0])
    assert await delete_parameters.fn(run)
    assert await notify.fn(run, "final")
    await clean_up.fn(run, machine.in_seconds(10))
    await terminate.fn(run)
    return outcome


def test_the_tasks_one_after_the_other_serve_a_job_and_end_the_instance(machine: Machine) -> None:
    machine.cloud.write_config()
    run = machine.run(RUNS_FLEET_FINISH_TIMEOUT_SECONDS="10")
    outcome = asyncio.run(one_after_the_other(run, machine))
    assert outcome.reason is Reason.JOB_SERVED
    cloud = machine.cloud
    assert [message["status"] for message in cloud.messages()] == ["started", "success"]
    assert cloud.parameters() == []
    assert len(cloud.cached_archives()) == 1
    assert machine.left_beside_the_runner() == []
    assert cloud.terminated_instances() == [cloud.instance_id]
    assert set(run.progress.owed()) <= {"ship_logs"}, "logs are no task of their own"
