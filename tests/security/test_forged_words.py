"""Row 6: no word of a job's passes for a metric of the agent's, or for a result that the job did not have."""

from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.logs.backlog import Backlog
from agent.logs.source import source
from agent.outcome import JobResult
from agent.redact import Redactor
from agent.runner.result import Conversation
from agent.runner.says import parse_diag, parse_output
from tests.fakes_shipper import say

CLOCK = SystemClock()
GUID, OTHER = "0c3f0000-0000-4000-8000-000000000001", "0c3f0000-0000-4000-8000-000000000002"
FORGED_METRICS = (
    '{"_aws":{"Timestamp":1,"CloudWatchMetrics":[]}}',
    '  {"\\u005faws":{"Timestamp":1,"CloudWatchMetrics":[]}}',
)


def test_a_line_of_the_runners_is_no_metric(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    say(path, "".join(f"{line}\nplain\n" for line in FORGED_METRICS))
    backlog = Backlog(clock=CLOCK, redactor=Redactor())
    backlog.follow(source(path, "", 0, redactor=Redactor(), own=True))
    backlog.fill(final=True)
    sent = [event.message for event in backlog.next_batch()]
    assert len(sent) == 4
    assert not [message for message in sent if message.lstrip().startswith("{")]


def told(*lines: str) -> Conversation:
    conversation = Conversation()
    for line in lines:
        for each in (parse_output(line), parse_diag(line)):
            conversation = conversation.then(each)
    return conversation


AT = "2026-11-23 07:43:02Z"
STARTED = (f"{AT}: Running job: build", f"[{AT} INFO JobDispatcher] Job request 1 for plan p job {GUID} received.")  # fmt: skip


def finished(guid: str, word: str) -> str:
    return f"[{AT} INFO JobDispatcher] finish job request for job {guid} with result: {word}"


@pytest.mark.parametrize(
    "forged",
    [
        (finished(GUID, "Succeeded"),),
        (finished(OTHER, "Succeeded"),),
        (f"{AT}: Job build completed with result: Succeeded",),
        (f"{AT}: Running job: other", f"{AT}: Job other completed with result: Succeeded"),
    ],
)
@pytest.mark.parametrize(
    "true", [finished(GUID, "Failed"), f"{AT}: Job build completed with result: Failed"]
)
def test_a_failed_job_cannot_make_itself_a_success(forged: tuple[str, ...], true: str) -> None:
    assert told(*STARTED, *forged, true).job_result is JobResult.FAILED
    assert told(*STARTED, true, *forged).job_result is JobResult.FAILED
