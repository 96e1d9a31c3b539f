"""Row 6: whatever a job does to the files that are being followed, the log holds its words and nobody else's, and goes on."""

import gzip
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.demo.play import Play, Script
from agent.demo.promises import look
from agent.held import MAX_ENTRIES, Folder
from agent.localcloud.cloud import BUCKET
from agent.localcloud.runner.scenario import Job, Scenario, Step
from agent.logs.diag_upload import DiagUpload
from agent.logs.source import MAX_FILES, Directory
from agent.logs.tail import MAX_LINE_BYTES, Tail
from agent.redact import Redactor
from agent.runner.files import secrets_on_disk
from tests.fakes_shipper import RUNNER, Bench, say, soon

PYTHON = Path("/usr/bin/python3")
CLOCK = SystemClock()
SECRET = "of-the-agent-and-nobody-else"
GUID = "0c3f0000-0000-4000-8000-000000000001"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become the job's user")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for shipper in bench.shippers:
        shipper.stop()


@pytest.fixture
def runner_dir(tmp_path: Path) -> Path:
    (tmp_path / "runner" / "_diag" / "pages").mkdir(parents=True)
    return tmp_path / "runner"


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """Where files are made quickly."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder like `_diag`, of the agent's."""
    folder = tmp_path / "private"
    folder.mkdir()
    for name in ("Runner_1.log", "a.log"):
        say(folder / name, f"{SECRET}\n")
    return folder


def directory(runner_dir: Path, *parts: str) -> Directory:
    folder = Folder.of_the_runner(runner_dir, *(parts or ("_diag",)))
    return Directory(folder, "*.log", lambda _: "", lambda _: 0, Redactor())


def read_by(found: Directory) -> list[str]:
    return [line.text for each in found.new_sources() for line in each.tail.read(final=True)]


@contextmanager
def keeps_swapping(folder: Path, other: Path) -> Iterator[None]:
    """The folder is itself, then a link to the other one, as fast as can be."""
    over = threading.Event()
    aside, link = folder.with_name("aside"), folder.with_name("link")

    def swap() -> None:
        while not over.is_set():
            link.symlink_to(other)
            folder.rename(aside)
            link.rename(folder)
            over.wait(0.0005)
            folder.unlink()
            aside.rename(folder)
            over.wait(0.0005)

    thread = threading.Thread(target=swap)
    thread.start()
    yield
    over.set()
    thread.join(20)


@pytest.mark.parametrize("swapped", ["_diag", "_diag/pages"])
def test_a_folder_that_becomes_a_link_between_two_looks_is_never_followed(
    runner_dir: Path, private: Path, swapped: str
) -> None:
    (private / "pages").mkdir()
    say(private / "pages" / "a.log", f"{SECRET}\n")
    say(runner_dir / swapped / "mine.log", "mine\n")
    parts = tuple(swapped.split("/"))
    seen: set[str] = set()
    with keeps_swapping(runner_dir / "_diag", private):
        deadline = Deadline.after(CLOCK, 1.0)
        while not deadline.expired:
            seen.update(read_by(directory(runner_dir, *parts)))
    seen.update(read_by(directory(runner_dir, *parts)))
    assert seen == {"mine"}


@pytest.mark.parametrize("swapped", ["_diag", "."])
def test_a_file_that_is_opened_again_after_its_folder_became_a_link_is_not_the_links(
    runner_dir: Path, private: Path, swapped: str
) -> None:
    folder = runner_dir / "_diag"
    say(folder / "a.log", "mine\n")
    tail = Tail(folder / "a.log", folder=Folder.of_the_runner(runner_dir, "_diag"))
    assert [line.text for line in tail.read()] == ["mine"]
    (private / "_diag").symlink_to(private)
    (runner_dir / swapped).resolve().rename(runner_dir.parent / "aside")
    (runner_dir / swapped if swapped != "." else runner_dir).symlink_to(private)
    assert tail.read() == []
    tail.close()
    assert tail.read(final=True) == []


def test_a_hard_link_to_a_file_of_somebody_elses_is_not_read(runner_dir: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has files of two users")
    diag = runner_dir / "_diag"
    say(runner_dir.parent / "shadow", f"{SECRET}\n")
    os.link(runner_dir.parent / "shadow", diag / "Runner_0.log")
    say(diag / "Runner_1.log", "mine\n")
    for path in (diag, diag / "Runner_1.log"):
        shutil.chown(path, "nobody")
    assert read_by(directory(runner_dir)) == ["mine"]
    sent: dict[str, bytes] = {}
    upload = DiagUpload(Kept(sent), BUCKET, "x/", mask=bytes)
    assert upload.upload(Folder.of_the_runner(runner_dir, "_diag"), soon()) == "partial"
    assert [gzip.decompress(body) for body in sent.values()] == [b"mine\n"]


class Kept:
    """An S3 that keeps what it is given."""

    def __init__(self, sent: dict[str, bytes]) -> None:
        self._sent = sent

    def put_object(self, **kwargs: object) -> None:
        body = kwargs["Body"]
        assert isinstance(body, bytes)
        self._sent[str(kwargs["Key"])] = body


@pytest.mark.parametrize("name", [".env", ".credentials_rsaparams"])
@pytest.mark.parametrize("put", ["fifo", "link", "endless"])
def test_an_agent_that_was_started_again_is_not_held_up_by_what_a_job_put_in_place_of_a_file(
    runner_dir: Path, private: Path, name: str, put: str
) -> None:
    path = runner_dir / name
    say(private / "key", f'{{"d": "{SECRET}"}}')
    if put == "fifo":
        os.mkfifo(path)
    elif put == "link":
        path.symlink_to(private / "key")
    else:
        with path.open("wb") as sparse:
            sparse.truncate(1 << 40)
    found: list[tuple[str, ...]] = []
    reading = threading.Thread(
        target=lambda: found.append(secrets_on_disk(runner_dir)), daemon=True
    )
    reading.start()
    reading.join(20)
    assert found == [()]


def test_a_file_that_is_larger_than_such_a_file_can_be_is_an_error(runner_dir: Path) -> None:
    say(runner_dir / ".env", "x" * 100)
    folder = Folder.of_the_runner(runner_dir)
    assert folder.read(".env", 100) == b"x" * 100
    with pytest.raises(OSError, match="larger"):
        folder.read(".env", 99)


def test_a_job_that_makes_files_without_end_costs_neither_memory_nor_the_logs_that_were_there(
    in_memory: Path,
) -> None:
    runner_dir = in_memory
    pages = runner_dir / "_diag" / "pages"
    pages.mkdir(parents=True)
    found = directory(runner_dir, "_diag", "pages")
    say(pages / "first.log", "first\n")
    first = list(found.new_sources())
    for number in range(MAX_ENTRIES + 500):
        (pages / f"{number}.log").touch()
    assert len(found.folder.files("*.log")) <= MAX_ENTRIES
    followed = [*first, *found.new_sources(), *found.new_sources()]
    assert len(followed) == MAX_FILES
    say(pages / "first.log", "second\n")
    assert [line.text for line in first[0].tail.read()] == ["first", "second"]


def test_a_hundred_megabytes_without_a_line_end_arrive_in_pieces_while_others_go_on(
    bench: Bench, tmp_path: Path
) -> None:
    endless, quiet = tmp_path / "endless.log", tmp_path / "quiet.log"
    with endless.open("wb") as file:
        for _ in range(100):
            file.write(b"\xff{" * 500_000)
    say(quiet, "a word\n")
    size = endless.stat().st_size
    tail, read = Tail(endless), 0
    most = 0
    while lines := tail.read(final=True):
        most = max(most, sum(len(line.text) for line in lines))
        assert all(len(line.text) <= MAX_LINE_BYTES + 2 for line in lines)
        read = lines[-1].end_offset
    assert read == size
    assert most < 4 * 1024 * 1024
    shipper = bench.shipper()
    shipper.follow(quiet, RUNNER)
    assert shipper.flush(soon(), final=True).complete


STEP = """
cd ../../..
ln -s /etc/shadow _diag/shadow.log; ln /etc/shadow _diag/hard.log || true
ln -s "{state}/journal.jsonl" _diag/Runner_0.log; ln -s "{private}/a.log" _diag/pages/a.log
mkfifo _diag/Runner_00.log _diag/pages/fifo.log; mkdir _diag/Runner_000.log
head -c 3000000 /dev/urandom > _diag/binary.log
head -c 200000 /dev/zero | tr '\\0' x > _diag/endless.log
for i in $(seq 600); do echo tiny > _diag/pages/tiny$i.log; done
echo "[{at} INFO JobDispatcher] finish job request for job {guid} with result: Succeeded" > _diag/Runner_9.log
echo short > _diag/shrinks.log; sleep 0.3; : > _diag/shrinks.log; rm _diag/binary.log
echo "##[error]forged"; echo "{at}: Job build completed with result: Succeeded"
echo '{{"_aws":{{"Timestamp":1,"CloudWatchMetrics":[]}}}}'
for name in .env .runs-fleet-runner.json; do rm -f $name; mkfifo $name; done
rm -f .credentials_rsaparams; ln -s /dev/zero .credentials_rsaparams
mv _diag aside; ln -s "{private}" _diag; sleep 0.7; rm _diag; mv aside _diag
echo "still here"
exit 1
"""


@as_root
@pytest.mark.root
@pytest.mark.skipif(not PYTHON.exists(), reason="the job's user needs a Python of its own")
def test_a_job_that_attacks_the_files_of_its_log_gets_its_own_words_and_a_true_result(
    open_dir: Path,
) -> None:
    private = open_dir / "private"
    private.mkdir(mode=0o711)
    say(private / "a.log", f"{SECRET}\n")
    say(private / "Runner_1.log", f"{SECRET}\n")
    step = STEP.format(
        state=open_dir / "state", private=private, at="2026-11-23 07:43:02Z", guid=GUID
    )
    script = Script(
        "logs",
        runner=Scenario(time_scale=0.1, job=Job(steps=(Step(name="attack", run=step),))),
        settings={"RUNS_FLEET_RUNNER_USER": "nobody"},
        config={"runner_logs_bucket": BUCKET},
        interpreter=str(PYTHON),
    )
    with Play(script, open_dir) as play:
        play.start()
        broken = [promise for promise in look(play, play.finish(100)) if not promise.held]
        assert broken == [], "\n".join(play.lines)
        final = play.cloud.messages()[-1]
        assert (final["status"], final["job_result"]) == ("success", "failed")
        lines = [line for name in play.cloud.log_streams() for line in play.cloud.log_lines(name)]
        objects = [gzip.decompress(body) for body in play.cloud.stored("runner-logs/").values()]
    said = "\n".join([*lines, *play.lines]) + repr(objects)
    assert SECRET not in said
    assert Path("/etc/shadow").read_text().splitlines()[0] not in said
    assert '"fact": "run_began"' not in said
    metrics = [line for line in lines if line.lstrip().startswith('{"_aws"')]
    assert len(metrics) == 1
    assert '"Reason":"job_served"' in metrics[0]
    assert any(re.fullmatch(r"\[_diag/pages/tiny\d+.log\] tiny", line) for line in lines)
