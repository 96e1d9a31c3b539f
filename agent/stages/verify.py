"""Nothing that was downloaded is executed before this stage has put it in its place."""

import logging

from agent.archive.staging import Marker, check_layout, put_in_place
from agent.errors import AgentError, DigestMismatch
from agent.events import event, warning
from agent.journal.facts import RunnerPlaced
from agent.stages.context import RunContext
from agent.stages.download import Source, StagedRunner, cache, discard, owner

log = logging.getLogger(__name__)


def verify(run: RunContext, staged: StagedRunner) -> StagedRunner:
    """Checks digest and layout of a staged runner, then makes it the runner by one rename.

    Raises:
        DigestMismatch: the archive is not the published one; the staging directory is gone.
        ArchiveError: it is the published one, but not a runner.
        RunnerDirError: it cannot be put in its place.
    """
    try:
        _check(run, staged)
    except AgentError:
        if staged.source is not Source.DISK:
            discard(staged.path, staged.archive)
        raise
    seconds = run.seconds_since(staged.began)
    event(
        log,
        "runner.verified",
        version=staged.release.version,
        sha256=staged.sha256,
        source=staged.source,
        bytes=staged.archive_bytes,
        seconds=seconds,
    )
    if run.progress.placed is None:
        run.journal.add(
            RunnerPlaced(
                run.journal.now(),
                version=staged.release.version,
                sha256=staged.sha256,
                source=staged.source,
                seconds=seconds,
                archive_bytes=staged.archive_bytes,
            )
        )
    return staged


def _check(run: RunContext, staged: StagedRunner) -> None:
    release = staged.release
    if staged.sha256 != release.sha256:
        warning(
            log,
            "runner.digest_mismatch",
            source=staged.source,
            wanted=release.sha256,
            got=staged.sha256,
        )
        raise DigestMismatch(
            f"the archive of runner {release.version} from {staged.source} has SHA-256 {staged.sha256}, GitHub publishes {release.sha256}",
            mend="it was not executed; check the pin, the proxy and who may write to the cache bucket",
        )
    check_layout(staged.path)
    if staged.source is not Source.DISK:
        marker = Marker(release.version, release.arch, staged.sha256, staged.source)
        put_in_place(staged.path, run.settings.runner_dir, marker, owner(run))


def fill_cache(run: RunContext, staged: StagedRunner) -> bool:
    """Puts a fresh download that `verify` has let through into the cache; best effort. True when the cache holds it."""
    bucket = cache(run)
    if bucket is None or staged.archive is None:
        return False
    release = staged.release
    try:
        done = bucket.put(
            release.version,
            release.arch,
            staged.archive,
            staged.sha256,
            replace=staged.cache_was_wrong,
        )
    finally:
        staged.archive.unlink(missing_ok=True)
    event(log, "cache.filled", done=done, replaced=staged.cache_was_wrong)
    return done
