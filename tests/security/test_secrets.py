"""Row 3: a secret goes where it is used and nowhere else. Whole runs with a canary for each, and a job that looks for them."""

import base64
import configparser
import os
import re
import secrets
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from agent.clock import SystemClock
from agent.demo.play import CACHE_TOKEN, Play, Script
from agent.demo.promises import look
from agent.localcloud.runner.scenario import Job, Scenario, Step

ROOT = Path(__file__).parents[2]
PYTHON = Path("/usr/bin/python3")
SEARCH = Path(__file__).with_name("search.py")
JIT_FILES = (".runner", ".credentials", ".credentials_rsaparams")
STEP = """
cd ../../..
stat --format '%n %a %U' {files} .env > "{seen}/modes" || true
{python} "{seen}/search.py" "{seen}/wanted" "{open_dir}" /tmp /run /var/tmp /dev/shm /opt /var/lib "$HOME" > "{seen}/found" 2>&1
echo "the token of the job's own cache: $ACTIONS_CACHE_TOKEN"
touch "{seen}/done"
sleep {seconds}
"""
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the job's user"),
    pytest.mark.skipif(not PYTHON.exists(), reason="the job's user needs a Python of its own"),
]


@dataclass(frozen=True, slots=True)
class Attack:
    """A run whose job looks for the secrets of everybody else."""

    play: Play
    secrets: list[str]
    """All but the token of the job's own cache."""

    @property
    def found(self) -> set[str]:
        """What the job could read."""
        said = (self.play.workdir / "seen" / "found").read_text()
        assert said.startswith("searching as 65534\n"), said
        assert said.endswith("\nsearched\n"), said
        every = [*self.secrets, CACHE_TOKEN]
        return {every[int(number)] for number in re.findall(r"^found (\d+)", said, re.MULTILINE)}

    def holders(self, content: bytes) -> set[str]:
        """The secrets that are in it, plain or in a usual disguise."""
        return {
            secret
            for secret in (*self.secrets, CACHE_TOKEN)
            if any(form in content for form in disguises(secret))
        }


def disguises(secret: str) -> set[bytes]:
    raw = secret.encode()
    return {
        raw,
        raw[::-1],
        raw.hex().encode(),
        quote(secret, safe="").encode(),
        base64.b64encode(raw).rstrip(b"="),
        raw.decode().encode("utf-16-le"),
    }


def canaries() -> dict[str, str]:
    """In the agent's own environment; made for this run, so that no source file holds them."""
    return {
        "RUNS_FLEET_GITHUB_TOKEN": f"ghp_{secrets.token_hex(18)}",
        "AWS_ACCESS_KEY_ID": "AKIALOCALCLOUDCANARY",
        "AWS_SECRET_ACCESS_KEY": f"{secrets.token_hex(12)}/secret+key",
        "AWS_SESSION_TOKEN": f"{secrets.token_hex(24)}//session+token==",
    }


@contextmanager
def attacked(
    open_dir: Path,
    config: Callable[[Play], dict[str, str | None]],
    act: Callable[[Play], None] | None = None,
) -> Iterator[Attack]:
    """Plays the run to its end; the secrets of the runner config are made when the cloud is up."""
    seen = open_dir / "seen"
    seen.mkdir()
    shutil.copy(SEARCH, seen)
    shutil.chown(seen, "nobody")
    own = canaries()
    step = STEP.format(
        seen=seen,
        open_dir=open_dir,
        python=PYTHON,
        files=" ".join(JIT_FILES),
        seconds=3 if act else 0,
    )
    script = Script(
        "secrets",
        runner=Scenario(time_scale=0.1, job=Job(steps=(Step(name="search", run=step),))),
        settings={"RUNS_FLEET_RUNNER_USER": "nobody", **own},
        interpreter=str(PYTHON),
        act=act,
    )
    with Play(script, open_dir) as play:
        play.secrets = {CACHE_TOKEN, *(own[name] for name in own if name != "AWS_ACCESS_KEY_ID")}
        play.write_config(**config(play))
        every = sorted(play.secrets - {CACHE_TOKEN})
        # Backwards: the search is not to find its own list.
        wanted = "".join(f"{secret[::-1]}\n" for secret in [*every, CACHE_TOKEN])
        (seen / "wanted").write_text(wanted)
        play.start()
        over, clock = threading.Event(), SystemClock()
        while play.process.poll() is None:
            play.look_at_argv()
            clock.wait(over, 0.05)
        broken = [promise.what for promise in look(play, play.finish(10)) if not promise.held]
        # An agent that dies right after a call may make it a second time.
        assert not [what for what in broken if not what.startswith("SQS")], "\n".join(play.lines)
        yield Attack(play, every)


def test_a_job_finds_no_secret_but_its_own_and_none_is_left_in_any_record(open_dir: Path) -> None:
    token = f"A{secrets.token_hex(14).upper()}"

    def registration_token(play: Play) -> dict[str, str | None]:
        play.cloud.github.valid_tokens.add(token)
        return {"jit_token": token}

    with attacked(open_dir, registration_token) as attack:
        assert token in attack.secrets
        assert attack.found == {CACHE_TOKEN}
        assert_the_log_masks_what_the_job_prints_of_its_own(attack)
        assert_no_record_holds_a_secret(attack)


def test_a_jit_config_is_in_no_record_though_the_agent_crashes_and_its_files_are_the_runners_alone(
    open_dir: Path,
) -> None:
    def jit(play: Play) -> dict[str, str | None]:
        return {"jit_config": play.cloud.encoded_jit_config(), "jit_token": None}

    def crash(play: Play) -> None:
        done, clock = open_dir / "seen" / "done", SystemClock()
        play.wait_for("job.started")
        while not done.exists():
            clock.wait(threading.Event(), 0.05)
        flow = child_of(play.process.pid, b"flows")
        os.kill(flow, signal.SIGABRT)

    with attacked(open_dir, jit, act=crash) as attack:
        assert attack.play.wait_for("run.taken_up_again")
        modes = dict(
            line.split(" ", 1) for line in (open_dir / "seen" / "modes").read_text().splitlines()
        )
        assert modes == dict.fromkeys((*JIT_FILES, ".env"), "600 nobody")
        (blob,) = [secret for secret in attack.secrets if len(secret) > 1000]
        parts = attack.found - {CACHE_TOKEN}
        assert blob not in parts
        # The values of the runner's own key, with which the listener, of the same user, signs.
        assert all(len(base64.b64decode(part)) == 32 for part in parts), parts
        assert_no_record_holds_a_secret(attack)


def child_of(pid: int, word: bytes) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next(
        int(child) for child in children if word in Path(f"/proc/{child}/cmdline").read_bytes()
    )


def assert_the_log_masks_what_the_job_prints_of_its_own(attack: Attack) -> None:
    cloud = attack.play.cloud
    (stream,) = [name for name in cloud.log_streams() if name.endswith("/runner")]
    lines = cloud.log_lines(stream)
    assert any(line.endswith("the token of the job's own cache: ***") for line in lines)


def assert_no_record_holds_a_secret(attack: Attack) -> None:
    play = attack.play
    cloud = play.cloud
    streams = {name: "\n".join(cloud.log_lines(name)) for name in cloud.log_streams()}
    files = {path.relative_to(play.state_dir): path for path in play.state_dir.rglob("*") if path.is_file()}  # fmt: skip
    assert {"journal.jsonl", "agent.log", "run.log"} < {path.name for path in files.values()}
    assert any(path.suffix == ".db" for path in files), "Prefect's database was not looked at"
    records = {
        "a command line": "\n".join(play.argv_leaks).encode(),
        "the console": "\n".join(play.lines).encode(),
        "SQS": repr(cloud.raw_messages()).encode(),
        "the bucket": b"".join(cloud.stored("").values()),
        "SSM": repr(cloud.parameters()).encode(),
        **{name: text.encode() for name, text in streams.items()},
        **{str(name): path.read_bytes() for name, path in files.items()},
    }
    leaks = {where: held for where, content in records.items() if (held := attack.holders(content))}
    assert leaks == {}
    assert [*play.workdir.rglob("core*"), *ROOT.glob("core*")] == []


def test_a_core_of_the_agent_is_not_written_by_default() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(ROOT / "deployments/systemd/runs-fleet-agent.service")
    assert unit["Service"]["LimitCORE"] == "0:infinity"
