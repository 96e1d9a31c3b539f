"""What comes from outside, as functions of bytes: each takes anything, and raises only the errors that say what is wrong.

`test_fuzz.py` plays the corpus and what hypothesis makes of it; `python -m tests.security.fuzzing TARGET` lets atheris look for more.
"""

import gzip
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import httpx

from agent.archive.inflate import Inflater
from agent.archive.limits import Limits
from agent.archive.tar import Kind, Plain, members
from agent.archive.unpack import unpack
from agent.clock import SystemClock
from agent.deadline import Deadline
from agent.errors import AgentError, ArchiveError, ConfigError, RunnerDirError
from agent.instance.imds import Metadata
from agent.journal.journal import read
from agent.journal.progress import Progress
from agent.logs.job_masks import JobMasks
from agent.logs.tail import Tail
from agent.parameters.runner_config import parse
from agent.releases.github import Releases
from agent.runner.files import decode_jit
from agent.runner.result import Conversation, outcome
from agent.runner.says import parse_diag, parse_output

CORPUS = Path(__file__).with_name("corpus")
CANARY = "canary-that-no-error-may-quote"
LIMITS = Limits(
    archive_bytes=1 << 20, unpacked_bytes=4 << 20, members=200, ratio=60, ratio_from_bytes=1 << 20
)
GOOD = '{"repo": "octo-org/hello-world", "run_id": "1", "labels": ["x"]}'
CLOCK = SystemClock()
MEMORY = Path("/dev/shm")


def tar(data: bytes) -> None:
    plain = Plain(iter([data]))
    try:
        for member in members(plain):
            if member.kind is Kind.FILE:
                for _ in plain.content(member.size):
                    pass
    except ArchiveError as exc:
        one_line(exc)


def archive(data: bytes) -> None:
    """A tar file, unpacked for real: nothing appears outside of its directory, and no link in it leads out."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        tree = Path(folder) / "outer" / "tree"
        tree.mkdir(parents=True)
        packed = gzip.compress(data, compresslevel=1)
        try:
            unpack(iter([packed]), tree, clock=CLOCK, limits=LIMITS, stop=threading.Event())
        except (ArchiveError, RunnerDirError) as exc:
            one_line(exc)
        assert list(Path(folder).iterdir()) == [tree.parent]
        assert list(tree.parent.iterdir()) == [tree]
        for place, folders, files in os.walk(tree):
            for name in (*folders, *files):
                # Not Path.resolve: a link that leads to itself leads nowhere.
                assert Path(os.path.realpath(Path(place) / name)).is_relative_to(tree.resolve())


def gzipped(data: bytes) -> None:
    got = 0
    try:
        with Inflater(
            iter([data]),
            limits=LIMITS,
            keep=None,
            on_bytes=lambda _: None,
            check=lambda: None,
        ) as inflater:
            for piece in inflater.pieces():
                got += len(piece)
    except ArchiveError as exc:
        one_line(exc)
    assert got <= LIMITS.unpacked_bytes + (1 << 20)


def config(data: bytes) -> None:
    try:
        parse(data.decode(errors="replace"), None, where="/x/config")
    except ConfigError as exc:
        one_line(exc)


def credential(data: bytes) -> None:
    try:
        parse(GOOD, data.decode(errors="replace"), where="/x/config")
    except ConfigError as exc:
        one_line(exc)


def jit_config(data: bytes) -> None:
    try:
        decode_jit(data.decode(errors="replace"))
    except ConfigError as exc:
        one_line(exc)


def release(data: bytes) -> None:
    answer = httpx.MockTransport(lambda _: httpx.Response(200, content=data))
    stop = threading.Event()
    with httpx.Client(transport=answer) as client:
        asked = Releases(client, "https://github.test", clock=CLOCK, stop=stop, token=None)
        try:
            found = asked.find("latest", "x64", deadline=Deadline.after(CLOCK, 0.2))
        except AgentError as exc:
            one_line(exc)
        else:
            assert len(bytes.fromhex(found.sha256)) == 32


class Answers(Metadata):
    """An IMDS that answers anything with the same text."""

    def __init__(self, text: str) -> None:
        super().__init__("http://127.0.0.1:9")
        self._text = text

    def get(self, path: str) -> str | None:
        del path
        return self._text


def imds(data: bytes) -> None:
    metadata = Answers(data.decode(errors="replace"))
    metadata.spot_notice()
    for word in (metadata.instance_id(), metadata.region()):
        assert word is None or (word.isascii() and word.isprintable())
    metadata.close()


def journal(data: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        path = Path(folder) / "journal.jsonl"
        path.write_bytes(data)
        Progress.of(read(path)).owed()


def listener(data: bytes) -> None:
    conversation = Conversation()
    for line in data.decode(errors="replace").split("\n"):
        for said in (parse_output(line), parse_diag(line)):
            conversation = conversation.then(said)
    ended = outcome(conversation, 0, files_left=False)
    assert "\n" not in ended.detail + ended.job_name


def masks(data: bytes) -> None:
    text = data.decode(errors="replace")
    found = JobMasks()
    found.learn(text)
    found.mask(text)


def followed(data: bytes) -> None:
    """A log file: every byte of it is given out, in order, and no line is longer than it may be."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        path = Path(folder) / "a.log"
        path.write_bytes(data)
        tail = Tail(path)
        ends = [line.end_offset for line in tail.read(limit_bytes=1 << 24, final=True)]
        tail.close()
    assert ends == sorted(ends)
    assert (ends or [0])[-1] == len(data)


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (
        tar,
        archive,
        gzipped,
        config,
        credential,
        jit_config,
        release,
        imds,
        journal,
        listener,
        masks,
        followed,
    )
}


def one_line(exc: AgentError) -> None:
    text = str(exc)
    assert "\n" not in text
    assert CANARY not in text
    assert len(text) < 5000
