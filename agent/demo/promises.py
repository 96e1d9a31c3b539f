"""The promises of the contract, looked at from outside after a run: what a platform engineer would check by hand."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.demo.play import Play
from agent.journal.journal import read
from agent.journal.progress import Progress
from agent.outcome import EXPLAINED, Reason, Status
from agent.runner.identity import all_processes


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise and whether it was seen to hold."""

    what: str
    held: bool
    seen: str


def look(play: Play, exit_status: int) -> list[Promise]:
    """Checks everything that must hold after every run, however it ended."""
    return [
        _reason(play),
        _exit_status(play, exit_status),
        _terminated(play),
        _messages(play),
        _parameters(play),
        *_logs(play),
        _processes(play),
        _disk(play),
        _secrets(play),
    ]


def progress(play: Play) -> Progress:
    return Progress.of(read(play.state_dir / "journal.jsonl"))


def said_by_the_runner(play: Play) -> list[str]:
    """Every line that `config.sh` and `run.sh` printed, from the spool."""
    lines: list[str] = []
    for name in ("config.log", "run.log"):
        path = play.state_dir / "logs" / name
        if path.exists():
            lines += path.read_text(errors="replace").splitlines()
    return lines


def runner_stream_lines(play: Play) -> list[str]:
    """What CloudWatch has of those lines: the runner stream without the `_diag` logs."""
    streams = [name for name in play.cloud.log_streams() if name.endswith("/runner")]
    lines = [line for name in streams for line in play.cloud.log_lines(name)]
    return [line for line in lines if not line.startswith("[_diag/")]


def _reason(play: Play) -> Promise:
    ended = progress(play).ended
    got = ended.reason if ended else "nothing"
    wanted = play.script.reason
    return Promise("the run ended as the scenario says", got == wanted, got)


def _exit_status(play: Play, exit_status: int) -> Promise:
    wanted = EXPLAINED[play.script.reason].exit_status
    return Promise(f"exit status {wanted}", exit_status == wanted, str(exit_status))


def _terminated(play: Play) -> Promise:
    asked = set(play.cloud.terminated_instances())
    held = asked == {play.cloud.instance_id} and play.cloud.instance_state() == "terminated"
    return Promise(
        "EC2: this instance was terminated, and no other", held, play.cloud.instance_state()
    )


def _messages(play: Play) -> Promise:
    got = [message["status"] for message in play.cloud.messages()]
    final = EXPLAINED[play.script.reason].status.value
    ran = progress(play).runner_started is not None
    wanted = [Status.STARTED.value, final] if ran else [final]
    if play.script.reason in (Reason.NO_CONFIG, Reason.CONFIG_INVALID, Reason.SETTINGS_INVALID):
        # Nobody knew the queue: it is in the runner config.
        wanted = got
    return Promise(f"SQS: {' and '.join(wanted)}", got == wanted, ", ".join(got) or "none")


def _parameters(play: Play) -> Promise:
    left = play.cloud.parameters()
    known = progress(play).config is not None
    return Promise("SSM: nothing left", not left or not known, ", ".join(left) or "none")


def _logs(play: Play) -> Iterator[Promise]:
    said, shipped = said_by_the_runner(play), runner_stream_lines(play)
    same = [line or " " for line in said] == [line or " " for line in shipped]
    yield Promise(
        "CloudWatch: every line of the runner, once, in order",
        same,
        f"{len(shipped)} of {len(said)} lines",
    )
    agent = [name for name in play.cloud.log_streams() if name.endswith("/agent")]
    last = "instance.terminate" in "".join(x for name in agent for x in play.cloud.log_lines(name))
    yield Promise("CloudWatch: the agent's words up to the terminate call", last, ", ".join(agent))


def _processes(play: Play) -> Promise:
    """By working directory and by command line: no process of the runner or of the agent is left."""
    left = [stat.pid for stat in all_processes() if not stat.dead and _belongs(stat.pid, play)]
    return Promise("no process left", not left, str(left) if left else "none")


def _belongs(pid: int, play: Play) -> bool:
    folder = str(play.workdir)
    try:
        at = str(Path(f"/proc/{pid}/cwd").readlink())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return at.startswith(folder) or str(play.runner_dir) in words or str(play.state_dir) in words


def _disk(play: Play) -> Promise:
    name = play.runner_dir.name
    left = sorted(path.name for path in play.workdir.iterdir() if name in path.name)
    return Promise("disk: nothing of the runner left", not left, ", ".join(left) or "nothing")


def _secrets(play: Play) -> Promise:
    """Tokens are searched for in all that the agent wrote, said or sent."""
    places = {
        "a command line": " ".join(play.argv_leaks),
        "the agent's words": "\n".join(play.lines),
        "SQS": str(play.cloud.messages()),
        "CloudWatch": "\n".join(
            line for name in play.cloud.log_streams() for line in play.cloud.log_lines(name)
        ),
    }
    found = [place for place, text in places.items() if holds_a_secret(play, text.encode())]
    found += [str(path) for path in _files(play.state_dir) if holds_a_secret(play, _read(path))]
    return Promise(
        "no token in any log, message, command line or file", not found, ", ".join(found) or "none"
    )


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def holds_a_secret(play: Play, data: bytes) -> bool:
    return any(secret.encode() in data for secret in play.secrets)
