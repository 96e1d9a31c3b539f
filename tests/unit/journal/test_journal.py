from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.journal.facts import (
    CleanedUp,
    Ended,
    Fact,
    JobSeen,
    LogsFlushed,
    LogShipped,
    MessageSent,
    RunBegan,
    RunnerGone,
    RunnerStarted,
    TerminateCalled,
    from_line,
    to_line,
)
from agent.journal.journal import Journal, read
from agent.journal.progress import Owed, Progress

AT = "2026-11-23T07:42:18Z"
FACTS: tuple[Fact, ...] = (
    RunnerStarted(AT, pid=4711, start_ticks=99, total_seconds=3.25),
    JobSeen(AT, name="build \u2028 \x00 ü"),
    LogShipped(AT, stream="1/i-1/runner", path="/x", offset=12),
    Ended(AT, reason="job_served", detail="", job_result="succeeded", job_name="b", exit_code=0),
    RunnerGone(AT),
    MessageSent(AT, status="success", message_id="m"),
    CleanedUp(AT, left=0),
    TerminateCalled(AT, how="terminate_instances"),
)


def journal(path: Path) -> Journal:
    return Journal(path / "state" / "journal.jsonl", now=lambda: AT)


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    first = journal(tmp_path)
    for fact in FACTS:
        first.add(fact)
    assert journal(tmp_path).facts == FACTS


def test_the_file_is_for_the_agent_alone(tmp_path: Path) -> None:
    written = journal(tmp_path)
    written.add(FACTS[0])
    assert written.path.stat().st_mode & 0o777 == 0o600
    assert written.path.parent.stat().st_mode & 0o777 == 0o700


@given(cut=st.integers(min_value=0, max_value=2000))
def test_any_prefix_of_the_file_reads_as_a_prefix_of_the_facts(
    cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    path.write_bytes(b"".join(to_line(fact) for fact in FACTS)[:cut])
    facts = read(path)
    assert facts == FACTS[: len(facts)]


@given(st.binary(max_size=300))
def test_a_foreign_line_is_left_out_and_never_raises(line: bytes) -> None:
    assert from_line(line) is None or isinstance(from_line(line), Fact)


def test_a_line_after_a_torn_one_is_whole(tmp_path: Path) -> None:
    torn = journal(tmp_path)
    torn.add(FACTS[0])
    with torn.path.open("ab") as file:
        file.write(b'{"fact": "job_se')
    again = journal(tmp_path)
    again.add(FACTS[4])
    assert read(again.path) == (FACTS[0], FACTS[4])


def test_a_newer_agents_extra_key_is_ignored_and_a_wrong_type_is_refused() -> None:
    assert from_line(b'{"fact": "runner_gone", "at": "x", "new": 1}') == RunnerGone("x")
    assert from_line(b'{"fact": "cleaned_up", "at": "x", "left": "none"}') is None
    assert from_line(b'{"fact": "cleaned_up", "at": "x", "left": true}') is None


def test_a_journal_of_an_older_agent_is_read() -> None:
    """What it does not say is not known, which is not nothing."""
    began = from_line(
        b'{"fact": "run_began", "at": "%s", "instance_id": "i-1", "region": "eu-central-1", "boot_id": "b", "agent_version": "0.1.0", "boot_seconds": 9.5}'
        % AT.encode()
    )
    flushed = from_line(b'{"fact": "logs_flushed", "at": "%s", "complete": true}' % AT.encode())
    assert isinstance(began, RunBegan)
    assert began.log_group is None
    assert isinstance(flushed, LogsFlushed)
    assert (flushed.runner_lines, flushed.runner_bytes, flushed.dropped_bytes) == (None, None, None)


def test_a_disk_that_takes_no_line_leaves_the_journal_in_memory(tmp_path: Path) -> None:
    blocker = tmp_path / "state"
    blocker.write_text("a file where the folder should be")
    in_memory = journal(tmp_path)
    in_memory.add(FACTS[0])
    in_memory.add(FACTS[4])
    assert in_memory.facts == (FACTS[0], FACTS[4])


def test_what_is_owed_shrinks_in_the_order_of_the_contract() -> None:
    assert Progress.of(FACTS[:1]).owed() == tuple(Owed)
    assert Progress.of(FACTS[:5]).owed() == (
        Owed.SHIP_LOGS,
        Owed.FINAL_MESSAGE,
        Owed.CLEAN_UP,
        Owed.TERMINATE,
    )
    assert Progress.of(FACTS).owed() == (Owed.SHIP_LOGS,)


def test_the_first_of_two_outcomes_counts() -> None:
    second = Ended(AT, "agent_crashed", "", "unknown", "", -1)
    ended = Progress.of((*FACTS, second)).ended
    assert ended is not None
    assert ended.reason == "job_served"


def test_the_newest_offset_of_a_file_counts() -> None:
    later = LogShipped(AT, stream="1/i-1/runner", path="/x", offset=40)
    progress = Progress.of((*FACTS, later))
    assert progress.offset("1/i-1/runner", "/x") == 40
    assert progress.offset("1/i-1/runner", "/other") == 0


def test_started_and_final_messages_are_told_apart() -> None:
    progress = Progress.of([MessageSent(AT, status="started", message_id="s")])
    assert progress.final_message is None
    assert progress.started_message is not None
