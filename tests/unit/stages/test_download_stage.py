"""Where the runner comes from, and what is made of a source that fails: one clear error, and nothing left on the disk."""

import hashlib
import io
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.archive.staging import MARKER
from agent.errors import (
    AgentError,
    ArchiveError,
    DigestMismatch,
    DownloadError,
    Interrupted,
    ReleaseError,
    RunnerDirError,
)
from agent.localcloud.github_releases import GitHubOptions
from agent.outcome import Reason
from agent.stages.download import Source, download
from agent.stages.verify import fill_cache, verify
from tests.unit.stages.conftest import Machine

WRONG = "0" * 64


def refusal(machine: Machine, *, seconds: float = 30, **settings: str) -> AgentError:
    run = machine.run(**settings)
    with pytest.raises(AgentError) as caught:
        verify(run, download(run, deadline=machine.in_seconds(seconds)))
    assert "\n" not in str(caught.value)
    assert machine.left_beside_the_runner() == []
    assert not (machine.runner_dir / "run.sh").exists()
    return caught.value


def place(machine: Machine, **settings: str) -> str:
    """The source that the runner came from, once it stands in its place."""
    run = machine.run(**settings)
    staged = verify(run, download(run, deadline=machine.in_seconds(30)))
    assert (machine.runner_dir / "run.sh").exists()
    if staged.archive is not None:
        staged.archive.unlink()
    assert machine.left_beside_the_runner() == []
    return staged.source.value


def tarball(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_github_is_asked_where_there_is_no_cache(machine: Machine) -> None:
    assert place(machine, RUNS_FLEET_CONFIG_BUCKET="") == Source.GITHUB


def test_a_fresh_download_fills_the_cache_and_the_next_instance_uses_it(machine: Machine) -> None:
    run = machine.run()
    assert fill_cache(run, verify(run, download(run, deadline=machine.in_seconds(30))))
    (cached,) = machine.cloud.cached_archives().values()
    assert cached == (machine.archive.size, {"sha256": machine.archive.sha256})
    machine.runner_dir.rename(machine.workdir / "elsewhere")
    assert place(machine) == Source.CACHE


def test_a_runner_of_an_image_is_used_as_it_is(machine: Machine) -> None:
    place(machine)
    before = (machine.runner_dir / MARKER).stat().st_ino
    assert place(machine) == Source.DISK
    assert (machine.runner_dir / MARKER).stat().st_ino == before


def test_a_runner_of_another_version_is_replaced(machine: Machine) -> None:
    place(machine)
    marker = machine.runner_dir / MARKER
    marker.write_text(marker.read_text().replace("2.336.0", "2.335.0"))
    assert place(machine) == Source.GITHUB


def test_a_pinned_version_and_digest_need_no_api(machine: Machine) -> None:
    pin = machine.archive.sha256
    machine.cloud.faults.fail("github", "GetLatestRelease", status=500, code="down")
    machine.cloud.faults.fail("github", "GetReleaseByTag", status=500, code="down")
    assert place(machine, RUNS_FLEET_RUNNER_VERSION="2.336.0", RUNS_FLEET_RUNNER_SHA256=pin) == "github"  # fmt: skip


def test_a_version_that_does_not_exist_is_final_and_named(machine: Machine) -> None:
    error = refusal(machine, RUNS_FLEET_RUNNER_VERSION="2.1.0")
    assert isinstance(error, ReleaseError)
    assert not error.transient
    assert "2.1.0" in error.what


def test_a_pinned_version_that_does_not_exist_is_final_too(machine: Machine) -> None:
    error = refusal(
        machine, RUNS_FLEET_RUNNER_VERSION="2.1.0", RUNS_FLEET_RUNNER_SHA256=machine.archive.sha256
    )
    assert isinstance(error, ReleaseError)
    assert not error.transient
    assert "RUNS_FLEET_RUNNER_VERSION" in error.mend


@pytest.mark.parametrize(
    ("github", "kind", "transient"),
    [
        (GitHubOptions(asset_missing_times=9), ReleaseError, True),
        (GitHubOptions(digest="missing", body_marker="missing"), ReleaseError, False),
        (GitHubOptions(digest="wrong"), DigestMismatch, False),
        (GitHubOptions(digest="wrong", body_marker="wrong"), DigestMismatch, False),
        (GitHubOptions(truncate_at=0), DownloadError, True),
        (GitHubOptions(asset_status=503, asset_failures=None), DownloadError, True),
        (GitHubOptions(asset_status=403, asset_failures=None), DownloadError, False),
    ],
    ids=[
        "not uploaded yet",
        "no digest",
        "digests disagree",
        "wrong digest",
        "truncated",
        "host is down",
        "host refuses",
    ],
)
def test_what_github_gets_wrong_is_one_named_error(
    make_machine: Callable[..., Machine],
    github: GitHubOptions,
    kind: type[AgentError],
    *,
    transient: bool,
) -> None:
    error = refusal(make_machine(github=github))
    assert type(error) is kind
    assert error.transient is transient


def test_a_transfer_from_github_that_is_cut_again_and_again_goes_on_where_it_was_cut(
    make_machine: Callable[..., Machine],
) -> None:
    assert place(make_machine(github=GitHubOptions(truncate_at=9_000))) == Source.GITHUB


def test_one_digest_of_two_is_enough(make_machine: Callable[..., Machine]) -> None:
    assert place(make_machine(github=GitHubOptions(body_marker="missing"))) == Source.GITHUB


def test_a_pin_that_is_not_the_archives_is_refused(machine: Machine) -> None:
    error = refusal(machine, RUNS_FLEET_RUNNER_VERSION="2.336.0", RUNS_FLEET_RUNNER_SHA256=WRONG)
    assert isinstance(error, DigestMismatch)
    assert WRONG in error.what
    assert "it was not executed" in error.mend


@pytest.mark.parametrize("status", [403, 429])
def test_a_rate_limit_is_waited_for_as_github_says(
    make_machine: Callable[..., Machine], status: int
) -> None:
    github = GitHubOptions(rate_limited_times=1, rate_limit_status=status)  # type: ignore[arg-type]
    assert place(make_machine(github=github)) == Source.GITHUB


def test_a_rate_limit_beyond_the_deadline_is_final_and_names_the_token(
    make_machine: Callable[..., Machine],
) -> None:
    github = GitHubOptions(rate_limited_times=9, rate_limit_seconds=3000)
    error = refusal(make_machine(github=github))
    assert isinstance(error, DownloadError)
    assert not error.transient
    assert "RUNS_FLEET_GITHUB_TOKEN" in error.mend


def test_an_archive_that_is_not_a_runner_is_refused(
    make_machine: Callable[..., Machine], tmp_path: Path
) -> None:
    machine = make_machine()
    other = tarball(tmp_path / "other.tar.gz", ("README", b"nothing here"))
    machine.cloud.put_cached(other, sha256=None)
    pin = hashlib.sha256(other.read_bytes()).hexdigest()
    error = refusal(machine, RUNS_FLEET_RUNNER_VERSION="2.336.0", RUNS_FLEET_RUNNER_SHA256=pin)
    assert isinstance(error, ArchiveError)
    assert "run.sh" in error.what


@pytest.mark.parametrize(
    "poison",
    [b"no gzip at all", b"", b"\x1f\x8b" + b"\0" * 500],
    ids=["not gzip", "empty", "broken gzip"],
)
def test_a_damaged_object_in_the_cache_costs_only_time(machine: Machine, poison: bytes) -> None:
    machine.cloud.put_cached(poison, sha256=machine.archive.sha256)
    assert place(machine) == Source.GITHUB


def test_an_archive_of_the_cache_that_leads_out_is_not_unpacked(
    machine: Machine, tmp_path: Path
) -> None:
    evil = tarball(tmp_path / "evil.tar.gz", ("../../escaped", b"x"))
    machine.cloud.put_cached(evil, sha256=machine.archive.sha256)
    assert place(machine) == Source.GITHUB
    assert not (tmp_path.parent / "escaped").exists()


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket"])
def test_a_cache_that_refuses_is_a_miss(machine: Machine, code: str) -> None:
    machine.cloud.faults.fail("s3", "*", status=403, code=code)
    assert place(machine) == Source.GITHUB


def test_a_download_host_that_asks_for_a_pause_gets_it(
    make_machine: Callable[..., Machine],
) -> None:
    machine = make_machine(github=GitHubOptions(asset_status=429, asset_failures=1))
    run = machine.run(RUNS_FLEET_CONFIG_BUCKET="")
    began = run.clock.monotonic()
    staged = download(run, deadline=machine.in_seconds(30))
    assert staged.source is Source.GITHUB
    assert run.clock.monotonic() - began >= 1.0


def test_a_runner_directory_that_cannot_be_made_names_the_setting(machine: Machine) -> None:
    blocker = machine.workdir / "a-file"
    blocker.touch()
    error = refusal(machine, RUNS_FLEET_RUNNER_DIR=str(blocker / "runner"))
    assert isinstance(error, RunnerDirError)
    assert f"{blocker} cannot be written" in error.what
    assert "RUNS_FLEET_RUNNER_DIR" in error.mend


def test_a_stop_ends_a_slow_download_and_leaves_nothing(
    make_machine: Callable[..., Machine],
) -> None:
    machine = make_machine(github=GitHubOptions(bytes_per_second=2_000))
    run = machine.run(RUNS_FLEET_CONFIG_BUCKET="")
    stop = threading.Event()
    late = threading.Timer(1.0, stop.set)
    late.start()
    began = run.clock.monotonic()
    with pytest.raises(Interrupted) as caught:
        download(run, deadline=machine.in_seconds(60), stop=stop)
    late.join()
    assert caught.value.reason is Reason.STOP_SIGNAL
    assert run.clock.monotonic() - began < 10
    assert machine.left_beside_the_runner() == []
