"""What happens beside Prefect's start, and that the flow run tells the truth about it."""

import os
import signal
from pathlib import Path

from agent.demo.play import Play, Script
from agent.localcloud.runner.scenario import Job, Scenario, Step
from tests.faults.strike import processes
from tests.integration.conftest import Run
from tests.integration.outages import moment, seconds


def job() -> Scenario:
    return Scenario(job=Job(steps=(Step(name="step", run="echo served"),)), time_scale=0.05)


def prefetching(play: Play) -> int:
    """The pid of the process beside the flow: its child, by its parent's command line."""
    (pid,) = [
        pid
        for pid in processes(play, "flow")
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        in map(str, processes(play, "flow"))
    ]
    return pid


def test_the_runner_and_the_config_are_fetched_while_prefect_starts(run: Run) -> None:
    played = run(Script("beside", runner=job()))
    played.assert_all_promises_held()
    play = played.play
    assert moment(play.wait_for("runner.downloaded")) < moment(play.wait_for("config.fetched"))
    assert seconds(play, "runner.prefetched", "runner.verified") < 1
    assert len([line for line in play.lines if "runner.downloaded" in line]) == 1
    reads = [call for call in play.cloud.aws.calls if call.operation == "GetParameter"]
    assert len(reads) <= 2, "the prefetch read it once, and nobody again"


def test_a_prefetch_that_dies_is_made_up_for(run: Run) -> None:
    def kill(play: Play) -> None:
        play.cloud.faults.hang("s3", "*", seconds=600)
        play.wait_for("run.began")
        os.kill(prefetching(play), signal.SIGKILL)
        play.cloud.faults.clear()

    played = run(Script("killed", runner=job(), act=kill))
    played.assert_all_promises_held()
    assert not any("runner.prefetched" in line for line in played.play.lines)
