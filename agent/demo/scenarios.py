"""The scenarios of `runs-fleet-agent demo --scenario NAME`."""

import shutil
import signal
from datetime import timedelta
from pathlib import Path

from agent.demo.play import Play, Script
from agent.localcloud.github_releases import GitHubOptions
from agent.localcloud.runner.scenario import Job, Scenario, Step
from agent.outcome import Reason

MB = 1024 * 1024
FILL_MB = 300

_SERVED = Scenario(
    job=Job(
        name="build",
        steps=(
            Step(name="hello", run='echo "hello from $RUNNER_NAME"; uname -sm'),
            Step(name="test", run="for i in $(seq 12); do echo test $i passed; sleep 0.5; done"),
            Step(name="artefact", run="mkdir -p dist && date > dist/app && ls dist"),
        ),
    ),
    time_scale=0.2,
)
_LONG = Scenario(
    job=Job(name="long", steps=(Step(name="work", run="for i in $(seq 600); do sleep 0.1; done"),)),
    time_scale=0.2,
)  # fmt: skip

_DOWNLOAD_FAILS = Script(
    "GitHub answers every download with 503",
    github=GitHubOptions(asset_status=503, asset_failures=None),
    reason=Reason.DOWNLOAD_FAILED,
)


def _put_the_archive_into_the_cache(play: Play) -> None:
    play.cloud.put_cached(play.archive.path, sha256=play.archive.sha256)


def _poison_the_cache(play: Play) -> None:
    poison = play.archive.path.read_bytes()[:-64] + b"poison" * 10 + b"!!!!"
    play.cloud.put_cached(poison, sha256=play.archive.sha256)


def _announce_a_spot_notice(play: Play) -> None:
    if not _has_a_job(play):
        return
    play.cloud.metadata.announce_spot_interruption(play.clock.utc() + timedelta(seconds=120))


def _send_sigterm(play: Play) -> None:
    if _has_a_job(play):
        play.signal(signal.SIGTERM)


def _has_a_job(play: Play) -> bool:
    """Waits for it; false where the agent ended before."""
    try:
        play.wait_for("job.started")
    except TimeoutError:
        return False
    return True


def _corrupt(play: Play) -> None:
    """GitHub's redirect leads to a file that is not the one it announced."""
    wrong = play.workdir / "corrupt.tar.gz"
    data = bytearray(play.archive.path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    wrong.write_bytes(data)
    play.cloud.github.behave(GitHubOptions(serve_instead=wrong))


def _disk_full(workdir: Path) -> Script:
    free_mb = shutil.disk_usage(workdir).free // MB
    fill = Step(name="fill", run=f"fallocate -l {FILL_MB}M ballast; sleep 30")
    return Script(
        "the job fills the disk",
        runner=Scenario(job=Job(name="fill the disk", steps=(fill,)), time_scale=0.2),
        settings={"RUNS_FLEET_DISK_MIN_FREE_MB": str(free_mb - FILL_MB * 2 // 3)},
        reason=Reason.DISK_FULL,
    )


def scenarios(workdir: Path) -> dict[str, Script]:
    """Every scenario by its name; `workdir` is where its disk space is measured."""
    return {
        "job": Script(
            "a job is served", runner=_SERVED, github=GitHubOptions(bytes_per_second=8 * MB)
        ),
        "cache-hit": Script(
            "the runner comes from the S3 cache",
            runner=_SERVED,
            prepare=_put_the_archive_into_the_cache,
        ),
        "failing-job": Script(
            "the job fails; the runner did its work all the same",
            runner=Scenario(
                job=Job(name="red", steps=(Step(name="test", run="echo broken; exit 3"),)),
                time_scale=0.2,
            ),
        ),
        "expired-token": Script(
            "GitHub no longer takes the registration token",
            runner=Scenario(time_scale=0.05),
            config={"jit_token": "EXPIRED-registration-token"},
            reason=Reason.TOKEN_EXPIRED,
        ),
        "corrupt-archive": Script(
            "the archive was damaged on its way",
            prepare=_corrupt,
            reason=Reason.ARCHIVE_INVALID,
        ),
        "download-fails": _DOWNLOAD_FAILS,
        "poisoned-cache": Script(
            "somebody put another archive into the cache",
            runner=_SERVED,
            prepare=_poison_the_cache,
        ),
        "no-job": Script(
            "the runner listens, and no job ever comes",
            runner=Scenario(job=None, time_scale=0.2),
            settings={"RUNS_FLEET_JOB_WAIT_MINUTES": "0.05"},
            reason=Reason.NO_JOB,
        ),
        "spot-notice": Script(
            "EC2 takes the spot instance back",
            runner=_LONG,
            act=_announce_a_spot_notice,
            reason=Reason.SPOT_NOTICE,
        ),
        "sigterm": Script(
            "systemd stops the agent during the job",
            runner=_LONG,
            act=_send_sigterm,
            reason=Reason.STOP_SIGNAL,
        ),
        "max-runtime": Script(
            "the job runs longer than it may",
            runner=_LONG,
            settings={"RUNS_FLEET_MAX_RUNTIME_MINUTES": "0.08"},
            reason=Reason.MAX_RUNTIME,
        ),
        "disk-full": _disk_full(workdir),
    }
