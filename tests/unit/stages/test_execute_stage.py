"""The job with the stand-in runner as real processes: served, taken over, hanging."""

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from agent.journal.facts import RunnerStarted
from agent.localcloud.runner.build import unpack_for_tests
from agent.localcloud.runner.scenario import Job, Listener, Scenario, Step
from agent.outcome import JobResult, Outcome, Reason
from agent.runner.commands import environment, run_command
from agent.runner.hangs import Limits
from agent.runner.process import RunnerProcess
from agent.runner.start import start
from agent.runner.user import runner_user
from agent.stages.context import RunContext
from agent.stages.end import finish
from agent.stages.execute import execute
from agent.stages.fetch_config import fetch_config
from agent.stages.record import record_outcome
from agent.stages.register import register
from agent.stop import StopRequest
from tests.unit.stages.conftest import Machine

QUICK = {"RUNS_FLEET_FINISH_TIMEOUT_SECONDS": "10", "RUNS_FLEET_GRACE_SECONDS": "5"}
AT_ONCE = Limits(begin=0.5, worker=0.5, exit=0.5, look=0.1)


def registered(machine: Machine, script: str = "echo hello", listener: Listener = "ok") -> RunContext:  # fmt: skip
    scenario = Scenario(
        job=Job(steps=(Step(name="step", run=script),)), listener=listener, time_scale=0.05
    )
    unpack_for_tests(scenario, machine.runner_dir)
    machine.cloud.write_config()
    run = machine.run(**QUICK)
    register(run, fetch_config(run, deadline=machine.in_seconds(5)))
    return run


def serve(run: RunContext, limits: Limits | None = None) -> Outcome:
    return execute(run, on_started=lambda: None, limits=limits)


def begin(run: RunContext) -> RunnerProcess:
    """As an agent that died before it could note what it had started."""
    user = runner_user(run.settings.runner_user)
    return start(
        run_command(),
        cwd=run.settings.runner_dir,
        env=environment(user, run.environment),
        user=user,
        output=run.spool.run,
        clock=run.clock,
    )


def left(run: RunContext) -> list[str]:
    """Command lines of processes that work inside the runner directory."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (folder / "cwd").readlink().is_relative_to(run.settings.runner_dir):
                found.append((folder / "cmdline").read_text())
    return found


def test_a_job_is_served_and_nothing_of_it_is_left(machine: Machine) -> None:
    run = registered(machine)
    outcome = serve(run)
    assert (outcome.reason, outcome.job_result) == (Reason.JOB_SERVED, JobResult.SUCCEEDED)
    assert run.progress.runner_gone is not None
    assert left(run) == []


def test_a_runner_that_nobody_noted_is_found_and_taken_over(machine: Machine) -> None:
    process = begin(registered(machine, "sleep 1; echo done"))
    outcome = serve(machine.run(**QUICK))
    assert (outcome.reason, outcome.job_result) == (Reason.JOB_SERVED, JobResult.SUCCEEDED)
    assert process.wait(5) == 0
    assert (machine.workdir / "state/logs/run.log").read_text().count("Running job") == 1


def test_a_runner_that_ended_while_nobody_looked_is_only_concluded(machine: Machine) -> None:
    process = begin(registered(machine))
    assert process.wait(20) == 0
    outcome = serve(machine.run(**QUICK))
    assert (outcome.reason, outcome.job_result) == (Reason.JOB_SERVED, JobResult.SUCCEEDED)
    assert (machine.workdir / "state/logs/run.log").read_text().count("Running job") == 1


def test_an_outcome_that_is_known_is_not_made_twice(machine: Machine) -> None:
    run = registered(machine)
    record_outcome(run, Outcome(Reason.MAX_RUNTIME))
    assert serve(machine.run(**QUICK)).reason is Reason.MAX_RUNTIME
    assert run.progress.runner_started is None


def test_no_runner_is_started_after_a_stop(machine: Machine) -> None:
    run = registered(machine)
    run.stop.ask(StopRequest(Reason.STOP_SIGNAL, "the agent received SIGTERM"))
    assert serve(run).reason is Reason.STOP_SIGNAL
    assert run.progress.runner_started is None


def test_an_agent_that_died_while_it_stopped_the_runner_does_not_ask_a_second_time(
    machine: Machine,
) -> None:
    run = registered(machine, "trap 'echo asked >> asked; exit 1' INT TERM; for i in $(seq 200); do sleep 0.1; done")  # fmt: skip
    process = begin(run)
    first = machine.run(**QUICK)
    first.stop.ask(StopRequest(Reason.SPOT_NOTICE, "EC2 takes it", taken_at=None))
    threading.Thread(target=serve, args=(first,)).start()
    while first.progress.stop_asked is None:
        assert not first.clock.wait(threading.Event(), 0.02)
    second = machine.run(**QUICK)
    assert second.stop.request is not None
    assert second.stop.request.reason is Reason.SPOT_NOTICE
    assert serve(second).reason is Reason.SPOT_NOTICE
    assert process.wait(10) is not None
    assert left(second) == []


@pytest.mark.parametrize(
    ("listener", "reason", "result"),
    [
        ("never_exits", Reason.RUNNER_HUNG, JobResult.SUCCEEDED),
        ("acknowledged_only", Reason.JOB_NEVER_STARTED, JobResult.UNKNOWN),
    ],
)
def test_a_runner_that_hangs_is_ended_with_a_reason_of_its_own(
    machine: Machine, listener: Listener, reason: Reason, result: JobResult
) -> None:
    run = registered(machine, listener=listener)
    outcome = serve(run, AT_ONCE)
    assert (outcome.reason, outcome.job_result) == (reason, result)
    assert left(run) == []


def test_a_worker_at_work_is_seen(machine: Machine) -> None:
    run = registered(machine, "sleep 1.5")
    assert serve(run, AT_ONCE).reason is Reason.JOB_SERVED


def test_the_end_of_a_run_whose_agent_died_learns_the_result_from_the_runner_s_words(
    machine: Machine,
) -> None:
    process = begin(registered(machine, "exit 3"))
    assert process.wait(20) == 0
    run = machine.run(**QUICK)
    identity = process.identity
    run.journal.add(RunnerStarted(run.journal.now(), identity.pid, identity.start_ticks, 0.0))
    assert finish(run)
    run.shipper.stop()
    (message,) = machine.cloud.messages()
    assert (message["status"], message["job_result"]) == ("success", "failed")


def test_a_runner_that_was_taken_over_is_stopped_gracefully(machine: Machine) -> None:
    run = registered(machine, "for i in $(seq 300); do sleep 0.1; done")
    process = begin(run)
    over = threading.Event()
    again = machine.run(**QUICK)

    def follow() -> None:
        serve(again)
        over.set()

    watcher = threading.Thread(target=follow)
    watcher.start()
    while again.progress.job_seen is None:
        assert not again.clock.wait(threading.Event(), 0.02)
    again.stop.ask(StopRequest(Reason.STOP_SIGNAL, "the agent received SIGTERM"))
    assert over.wait(20)
    watcher.join()
    assert again.progress.ended is not None
    assert again.progress.ended.reason == Reason.STOP_SIGNAL
    assert process.wait(10) is not None
    assert os.path.lexists(machine.runner_dir / ".runner"), "a stopped runner leaves its files"
