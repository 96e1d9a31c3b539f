"""What the guardian does when the flow dies, stops, hangs, or does not end itself."""

import os
import signal
from pathlib import Path

import pytest

from tests.unit.guardian.test_supervise import MARK_END, WRITE_END, guardian, result

NOTE_LIFE = """
import os, pathlib, signal, sys, threading
state = pathlib.Path(os.environ["STATE"])
with (state / "lives").open("a") as file: file.write(" ".join(w for w in sys.argv[1:] if "pulse" not in w) + "\\n")
lives = len((state / "lives").read_text().splitlines())
pulse = next(int(word.partition("=")[2]) for word in sys.argv if word.startswith("--pulse="))
"""
DIE = "os.kill(os.getpid(), signal.SIGKILL)"


def lives(state: Path) -> list[str]:
    return (state / "lives").read_text().splitlines()


def test_a_flow_that_dies_is_started_again_three_times_the_last_time_without_prefect(
    tmp_path: Path,
) -> None:
    assert result(guardian(tmp_path, NOTE_LIFE + DIE))[0] == "status 1"
    assert lives(tmp_path) == ["", "", "", "--plain"]
    assert (tmp_path / "end-ran").exists()


def test_a_second_life_that_ends_the_instance_is_the_last_one(tmp_path: Path) -> None:
    flow = NOTE_LIFE + f"if lives < 2: {DIE}" + WRITE_END
    assert result(guardian(tmp_path, flow))[0] == "status 0"
    assert len(lives(tmp_path)) == 2
    assert not (tmp_path / "end-ran").exists()


@pytest.mark.parametrize(
    "last_act",
    ["raise SystemExit(2)", "(state / 'journal.jsonl').write_text('{\"fact\": \"ended\"}\\n')"],
    ids=["unusable settings", "an outcome is known"],
)
def test_what_another_life_could_not_mend_is_left_to_the_end(tmp_path: Path, last_act: str) -> None:
    result(guardian(tmp_path, NOTE_LIFE + last_act))
    assert len(lives(tmp_path)) == 1
    assert (tmp_path / "end-ran").exists()


def test_a_flow_that_dies_while_it_stops_is_not_started_again(tmp_path: Path) -> None:
    flow = (
        NOTE_LIFE
        + f"""
signal.signal(signal.SIGTERM, lambda *_: {DIE})
print("ready", flush=True)
threading.Event().wait(20)
"""
    )
    process = guardian(tmp_path, flow)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    process.send_signal(signal.SIGTERM)
    result(process)
    assert len(lives(tmp_path)) == 1
    assert (tmp_path / "end-ran").read_text() == "--stopped-by SIGTERM"


def test_a_flow_that_somebody_stopped_is_woken(tmp_path: Path) -> None:
    flow = NOTE_LIFE + "os.kill(os.getpid(), signal.SIGSTOP)" + WRITE_END
    assert result(guardian(tmp_path, flow))[0] == "status 0"
    assert len(lives(tmp_path)) == 1


def test_a_flow_whose_loop_does_not_turn_is_killed_and_started_again(tmp_path: Path) -> None:
    flow = NOTE_LIFE + "if lives < 2: threading.Event().wait(60)" + WRITE_END
    last, err = result(guardian(tmp_path, flow, LIMITS="{'silent': 1.5}"))
    assert last == "status 0"
    assert "hangs" in err
    assert len(lives(tmp_path)) == 2


def test_a_flow_that_beats_is_left_alone(tmp_path: Path) -> None:
    flow = NOTE_LIFE + """
for _ in range(12):
    os.write(pulse, b".")
    threading.Event().wait(0.25)
""" + WRITE_END  # fmt: skip
    assert result(guardian(tmp_path, flow, LIMITS="{'silent': 1.5}"))[0] == "status 0"
    assert len(lives(tmp_path)) == 1


def test_a_flow_that_ended_the_instance_and_hangs_is_ended_with_the_outcome_s_status(
    tmp_path: Path,
) -> None:
    journal = '{"fact": "ended", "at": "", "reason": "job_served", "detail": "", "job_result": "", "job_name": "", "exit_code": 0}'
    flow = (
        NOTE_LIFE
        + f"(state / 'journal.jsonl').write_text({journal!r} + chr(10))"
        + WRITE_END
        + "threading.Event().wait(60)"
    ).replace("import os, pathlib\n", "import os, pathlib, threading\n")
    assert result(guardian(tmp_path, flow, LIMITS="{'after_end': 1.0}"))[0] == "status 0"
    assert not (tmp_path / "end-ran").exists()


@pytest.mark.parametrize("status", [0, 1])
def test_on_a_disk_that_takes_no_journal_the_flow_s_own_word_counts(
    tmp_path: Path, status: int
) -> None:
    flow = NOTE_LIFE + f"os.write(pulse, b'.{status}'); {DIE}"
    assert result(guardian(tmp_path, flow))[0] == f"status {status}"
    assert len(lives(tmp_path)) == 1
    assert not (tmp_path / "end-ran").exists()


def test_an_end_that_fails_is_tried_again(tmp_path: Path) -> None:
    end = """
import os, pathlib
mark = pathlib.Path(os.environ["STATE"]) / "tries"
tries = len(mark.read_text()) if mark.exists() else 0
mark.write_text("x" * (tries + 1))
if tries < 2: raise SystemExit(1)
""" + MARK_END  # fmt: skip
    result(guardian(tmp_path, "raise SystemExit(2)", end))
    assert (tmp_path / "tries").read_text() == "xxx"
    assert (tmp_path / "end-ran").exists()


def test_orphans_of_the_job_leave_no_zombies_behind(tmp_path: Path) -> None:
    flow = NOTE_LIFE + """
for _ in range(20):
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            os._exit(0)
        os._exit(0)
    os.wait()
guardian = os.getppid()
for _ in range(50):
    children = pathlib.Path(f"/proc/{guardian}/task/{guardian}/children").read_text().split()
    if len(children) == 1: break
    threading.Event().wait(0.1)
print("children", len(children), flush=True)
""" + WRITE_END  # fmt: skip
    process = guardian(tmp_path, flow)
    out, _ = process.communicate(timeout=30)
    assert "children 1" in out


def test_the_lock_is_held_as_long_as_the_flow_lives(tmp_path: Path) -> None:
    """A guardian that was killed leaves a flow that goes on: an `end` must ask it, and not work beside it."""
    flow = (
        NOTE_LIFE
        + """
print("flow", os.getpid(), flush=True)
threading.Event().wait(20)
"""
    )
    process = guardian(tmp_path, flow)
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout as words, process.stderr:
        pid = int(words.readline().split()[1])
    try:
        process.kill()
        process.wait(10)
        last, err = result(guardian(tmp_path, MARK_END))
        assert last == "status 1"
        assert "another agent is at work" in err
    finally:
        os.kill(pid, signal.SIGKILL)
