"""Gets the runner: from the disk, from the S3 cache, or from GitHub, into a staging directory."""

import logging
import shutil
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx

from agent.archive.fetch import open_url
from agent.archive.staging import installed, make_staging, sweep_leftovers
from agent.archive.unpack import Unpacked, unpack
from agent.archive_stream import ArchiveStream
from agent.cache.s3 import RunnerCache
from agent.deadline import Deadline
from agent.errors import AgentError, ArchiveError, DownloadError, Interrupted
from agent.events import event, warning
from agent.outcome import Reason
from agent.releases.github import Release, Releases, pinned
from agent.releases.version import architecture
from agent.runner.user import runner_user
from agent.stages.context import RunContext

log = logging.getLogger(__name__)

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0
"""A transfer that brings no byte for this long has failed."""


class Source(StrEnum):
    """Where a runner came from."""

    DISK = "disk"
    CACHE = "cache"
    GITHUB = "github"


@dataclass(frozen=True, slots=True)
class StagedRunner:
    """A runner that is on the disk, but has not been verified."""

    path: Path
    """The staging directory; the runner directory itself for one that was there already."""
    release: Release
    source: Source
    sha256: str
    archive: Path | None
    """The archive as it came, kept for the cache; None where it did not come from GitHub."""
    cache_was_wrong: bool
    """True when the cache was seen to hold a wrong archive: it is replaced."""
    began: float
    """`clock.monotonic()` when the stage began."""
    seconds: float
    """From then until it was on the disk."""
    archive_bytes: int = 0
    """As it was transferred; 0 where nothing was."""


def download(
    run: RunContext,
    *,
    deadline: Deadline,
    only: Source | None = None,
    stop: threading.Event | None = None,
) -> StagedRunner:
    """Brings the wanted runner into a staging directory, streamed, hashed and unpacked in one pass.

    Args:
        run: the run.
        deadline: when it must be over, rate-limit waits included.
        only: the one source to use, after the other one brought a wrong archive.
        stop: ends it.

    Raises:
        ReleaseError: GitHub has no such version, asset or digest.
        DownloadError: neither the cache nor GitHub gave the archive.
        ArchiveError: what came is damaged or unsafe.
        RunnerDirError: the disk would not take it.
        Interrupted: a stop was asked for.
    """
    stop = stop or run.stop.event
    began = run.clock.monotonic()
    if (placed := _placed_before(run, began)) is not None:
        return placed
    if run.prefetch is not None and only is None and (ahead := run.prefetch.runner(stop)):
        return ahead
    timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
    with httpx.Client(timeout=timeout, follow_redirects=True) as client:
        release = find_release(run, client, deadline=deadline, stop=stop)
        there = installed(run.settings.runner_dir)
        if there and (there.version, there.sha256) == (release.version, release.sha256):
            return _on_disk(run, release, began)
        sweep_leftovers(run.settings.runner_dir)
        attempt = _Attempt(run, release, stop, began, cache_was_wrong=only is Source.GITHUB)
        if only in (None, Source.CACHE) and (staged := _from_cache(attempt)) is not None:
            return staged
        if only is Source.CACHE:
            raise DownloadError(
                "the runner cache does not hold the archive either",
                mend="check the proxy between this instance and GitHub",
                transient=False,
            )
        return _from_github(attempt, client, deadline)


def _placed_before(run: RunContext, began: float) -> StagedRunner | None:
    """The runner that an earlier life of the agent has put in its place and verified: GitHub need not be asked again."""
    placed, there = run.progress.placed, installed(run.settings.runner_dir)
    if placed is None or there is None or (there.version, there.sha256) != (placed.version, placed.sha256):  # fmt: skip
        return None
    arch = architecture(run.architecture)
    release = pinned(placed.version, arch, placed.sha256, run.settings.github_url)
    return _on_disk(run, release, began)


def _on_disk(run: RunContext, release: Release, began: float) -> StagedRunner:
    event(log, "runner.on_disk", version=release.version)
    return StagedRunner(
        run.settings.runner_dir,
        release,
        Source.DISK,
        release.sha256,
        archive=None,
        cache_was_wrong=False,
        began=began,
        seconds=run.seconds_since(began),
    )


def find_release(
    run: RunContext, client: httpx.Client, *, deadline: Deadline, stop: threading.Event
) -> Release:
    """The release that the settings ask for; a pinned version and digest need no call to GitHub's API."""
    settings = run.settings
    arch = architecture(run.architecture)
    if settings.runner_sha256 and settings.runner_version != "latest":
        return pinned(settings.runner_version, arch, settings.runner_sha256, settings.github_url)
    token = settings.github_token
    releases = Releases(
        client,
        settings.github_api_url,
        clock=run.clock,
        stop=stop,
        token=token.get_secret_value() if token else None,
    )
    return releases.find(settings.runner_version, arch, deadline=deadline)


def cache(run: RunContext) -> RunnerCache | None:
    """The S3 cache, where a bucket is set."""
    bucket = run.settings.config_bucket
    return RunnerCache(run.clients.get("s3"), bucket) if bucket else None


@dataclass(slots=True)
class _Attempt:
    run: RunContext
    release: Release
    stop: threading.Event
    began: float
    cache_was_wrong: bool


def _from_cache(attempt: _Attempt) -> StagedRunner | None:
    """Any trouble with the cache, or with what is in it, is a miss."""
    bucket = cache(attempt.run)
    if bucket is None:
        return None
    try:
        with bucket.open(attempt.release.version, attempt.release.arch) as stream:
            return _stage(attempt, Source.CACHE, stream, keep=False) if stream else None
    except (DownloadError, ArchiveError) as exc:
        attempt.cache_was_wrong = isinstance(exc, ArchiveError)
        warning(log, "cache.skipped", error=exc)
        return None


def _from_github(attempt: _Attempt, client: httpx.Client, deadline: Deadline) -> StagedRunner:
    release = attempt.release
    keep = attempt.run.settings.config_bucket is not None
    while True:
        try:
            with open_url(
                client,
                release.url,
                expected_size=release.size,
                wait=lambda seconds: attempt.run.clock.wait(attempt.stop, seconds),
            ) as stream:
                return _stage(attempt, Source.GITHUB, stream, keep=keep)
        except DownloadError as exc:
            seconds = exc.retry_after_seconds
            if not exc.transient or seconds is None or seconds >= deadline.remaining():
                raise
            warning(log, "github.rate_limited", seconds=seconds, error=exc)
            if attempt.run.clock.wait(attempt.stop, max(1.0, seconds)):
                raise Interrupted(Reason.STOP_SIGNAL, "stopped while GitHub's download host asked to wait") from exc  # fmt: skip


def _stage(attempt: _Attempt, source: Source, stream: ArchiveStream, *, keep: bool) -> StagedRunner:
    run, release = attempt.run, attempt.release
    staging = make_staging(run.settings.runner_dir)
    kept = staging.with_name(staging.name + ".tar.gz") if keep else None
    try:
        unpacked = _unpack(attempt, staging, stream, kept)
    except AgentError:
        discard(staging, kept)
        raise
    event(
        log,
        "runner.downloaded",
        source=source,
        version=release.version,
        bytes=unpacked.archive_bytes,
        members=unpacked.members,
        seconds=unpacked.seconds,
    )
    return StagedRunner(
        staging,
        release,
        source,
        unpacked.sha256,
        archive=kept,
        cache_was_wrong=attempt.cache_was_wrong,
        began=attempt.began,
        seconds=run.seconds_since(attempt.began),
        archive_bytes=unpacked.archive_bytes,
    )


def _unpack(attempt: _Attempt, staging: Path, stream: ArchiveStream, kept: Path | None) -> Unpacked:
    run = attempt.run
    return unpack(
        stream.chunks,
        staging,
        clock=run.clock,
        size=stream.size,
        keep=kept,
        owner=owner(run),
        on_bytes=_ProgressLog(run, stream.size).more,
        stop=attempt.stop,
    )


def owner(run: RunContext) -> tuple[int, int] | None:
    """Who owns the runner's files, where that is not the agent itself."""
    user = runner_user(run.settings.runner_user)
    return (user.uid, user.gid) if user.switch else None


class _ProgressLog:
    """One line every half second while an archive comes in."""

    EVERY_SECONDS = 0.5

    def __init__(self, run: RunContext, size: int | None) -> None:
        self._clock = run.clock
        self._transfer = run.transfer
        self._transfer.begin(size)
        self._next = run.clock.monotonic() + self.EVERY_SECONDS
        self._size = size

    def more(self, count: int) -> None:
        self._transfer.more(count)
        if self._clock.monotonic() >= self._next:
            self._next = self._clock.monotonic() + self.EVERY_SECONDS
            event(log, "runner.downloading", bytes=self._transfer.got, of=self._size)


def discard(staging: Path, archive: Path | None) -> None:
    """Removes what a download left beside the runner directory; best effort."""
    shutil.rmtree(staging, ignore_errors=True)
    if archive is not None:
        archive.unlink(missing_ok=True)
