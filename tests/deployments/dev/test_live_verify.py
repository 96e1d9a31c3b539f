"""Each validation holds only where its evidence is there."""

from dataclasses import replace
from typing import Any

import pytest

from deployments.live.evidence import Evidence
from deployments.live.record import Record
from deployments.live.verify import Verdict, look, verify
from tests.deployments.dev.live_account import ACCOUNT, GROUP, REGION

ENDED = {"states": (("t", "running"), ("t", "terminated"))}
ON_ITS_OWN = {"state_reason": "Client.UserInitiatedShutdown"}
TAKEN = {"state_reason": "Server.SpotInstanceTermination"}
LATER, TOO_EARLY = "2026-11-26T12:00:01Z", "2026-11-25T13:00:00Z"
METRICS = '{"_aws":{},"LogLinesUnsent":0,"LogBytesDropped":0}'
LISTENED, OVER = "Listening for Jobs", "Job hello completed with result: Succeeded"


def seen(scenario: str, *agent: str, runner: Any = (), **of_record: Any) -> Evidence:
    record = Record("one", ACCOUNT, REGION, "o/n", scenario, "/p", GROUP, "2026-11-25T12:00:00Z")
    lines = (line if line.startswith("{") else f"… INFO agent {line}" for line in agent)
    return Evidence(replace(record, **of_record), tuple(lines), runner)


@pytest.mark.parametrize(
    ("item", "evidence", "wanted"),
    [
        ("C-8.1", seen("simple"), Verdict.BROKEN),
        ("C-8.1", seen("simple", "runner.verified version=2.336.0"), Verdict.HELD),
        ("C-8.2", seen("simple", "runner.registered how=token"), Verdict.BROKEN),
        ("C-8.3", seen("simple", "run.ended job_result=failed"), Verdict.BROKEN),
        ("C-8.3", seen("complex"), Verdict.NOT_SEEN),
        ("C-8.4", seen("complex", "run.ended job_result=succeeded"), Verdict.HELD),
        ("C-8.5", seen("simple", "instance.terminate instance_id=i-1", **ON_ITS_OWN), Verdict.HELD),
        ("C-8.5", seen("simple", "instance.terminate instance_id=i-1", **TAKEN), Verdict.BROKEN),
        ("C-8.6", seen("simple", states=(("t", "running"),)), Verdict.BROKEN),
        ("C-8.6", seen("simple", **ENDED), Verdict.HELD),
        ("C-8.7", seen("simple", METRICS, runner=(LISTENED, OVER)), Verdict.HELD),
        ("C-8.7", seen("simple", METRICS, runner=(LISTENED,)), Verdict.BROKEN),
        ("C-8.7", seen("simple", METRICS.replace('Unsent":0', 'Unsent":3'), runner=(LISTENED, OVER)), Verdict.BROKEN),
        ("C-8.8", seen("simple", own_queue=True, messages=({"status": "success"},)), Verdict.BROKEN),
        ("C-8.8", seen("simple"), Verdict.NOT_SEEN),
        ("C-8.9", seen("sigterm", "runner.stopping", "run.ended reason=stop_signal"), Verdict.HELD),
        ("C-8.9", seen("sigterm", "runner.stopping", "runner.killed pid=1", "run.ended reason=stop_signal"), Verdict.BROKEN),
        ("C-8.10", seen("max-runtime", "run.ended reason=max_runtime"), Verdict.HELD),
        ("C-8.11", seen("disk-full", "run.ended reason=job_served"), Verdict.BROKEN),
        ("C-8.12", seen("simple", "run.began"), Verdict.HELD),
        ("C-8.12", seen("simple", "memory.low available_mb=3"), Verdict.BROKEN),
        ("C-8.13", seen("crash", "run.taken_up_again", "run.ended reason=job_served", **ENDED), Verdict.HELD),
        ("C-8.13", seen("crash", "run.ended reason=job_served", **ENDED), Verdict.BROKEN),
        ("C-8.14", seen("simple", left=0, looked_again_at=LATER), Verdict.HELD),
        ("C-8.14", seen("simple", left=0, looked_again_at=TOO_EARLY), Verdict.NOT_SEEN),
        ("C-8.14", seen("simple", left=1, looked_again_at=TOO_EARLY), Verdict.BROKEN),
    ],
)  # fmt: skip
def test_a_validation_holds_only_where_its_evidence_is_there(
    item: str, evidence: Evidence, wanted: Verdict
) -> None:
    assert {row.item: row.verdict for row in look(evidence)}[item] is wanted


def test_the_table_has_every_item_in_its_order_and_one_that_is_broken_fails_it() -> None:
    said: list[str] = []
    assert not verify(seen("simple"), said.append)
    assert [line.split()[0] for line in said] == [f"C-8.{n}" for n in range(1, 15)]
    assert any(" BROKEN " in line for line in said)
