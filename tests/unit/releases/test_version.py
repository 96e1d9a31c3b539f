import pytest

from agent.errors import ReleaseError
from agent.releases.version import RunnerVersion, architecture, asset_name


@pytest.mark.parametrize(("machine", "arch"), [("x86_64", "x64"), ("aarch64", "arm64")])
def test_architectures_as_github_names_them(machine: str, arch: str) -> None:
    assert architecture(machine) == arch
    assert asset_name("2.336.0", arch) == f"actions-runner-linux-{arch}-2.336.0.tar.gz"


def test_an_architecture_without_a_runner_is_named() -> None:
    with pytest.raises(ReleaseError, match="riscv64"):
        architecture("riscv64")


@pytest.mark.parametrize("text", ["", "2.336", "latest", "2.336.0-rc1", "v2.336.0\n", "٢.1.0"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ReleaseError):
        RunnerVersion.parse(text)


def test_versions_are_ordered_by_number() -> None:
    assert RunnerVersion.parse("v2.99.0") < RunnerVersion.parse("2.336.0")
    assert str(RunnerVersion.parse("v2.336.0")) == "2.336.0"
