"""The Packer template, by Packer itself where there is one. Debian's is old: what it does not know is taken out before."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deployments.standins import ROOT

IMAGE = ROOT / "deployments/image"
TEMPLATE = IMAGE / "runs-fleet-agent.pkr.hcl"
NOT_IN_1_6 = (r"\n  metadata_options \{.*?\n  \}\n", r"  imds_support .*?\n")
VARIABLES = (
    "region=eu-central-1",
    "agent_version=0.1.0",
    'agent_sha256={x64="a",arm64="b"}',
    "runner_version=2.336.0",
    'runner_sha256={x64="c",arm64="d"}',
)

packer = pytest.mark.skipif(
    shutil.which("packer") is None, reason="there is no Packer on this machine (Debian: packer)"
)


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["packer", *arguments], check=False, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A copy that Packer 1.6 knows, among the files that it is about."""
    text = TEMPLATE.read_text()
    for pattern in NOT_IN_1_6:
        text, count = re.subn(pattern, "", text, flags=re.DOTALL)
        assert count == 1, pattern
    for name in ("image", "install", "dist"):
        (tmp_path / name).mkdir()
    for arch in ("x64", "arm64"):
        (tmp_path / f"dist/runs-fleet-agent-0.1.0-{arch}.pex").touch()
    (tmp_path / "install/install.sh").touch()
    shutil.copy(IMAGE / "provision.sh", tmp_path / "image")
    copy = tmp_path / "image" / TEMPLATE.name
    copy.write_text(text)
    return copy


def validate(template: Path, *variables: str) -> "subprocess.CompletedProcess[str]":
    given = [*VARIABLES, f"artefact_dir={template.parents[1] / 'dist'}", *variables]
    return run("validate", *(word for given in given for word in ("-var", given)), str(template))


@packer
def test_packer_finds_nothing_wrong(template: Path) -> None:
    done = validate(template)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@packer
@pytest.mark.parametrize("file", ["runs-fleet-agent.pkr.hcl", "plugins.pkr.hcl"])
def test_it_is_formatted_as_packer_does(file: str) -> None:
    done = run("fmt", "-check", "-diff", str(IMAGE / file))
    assert (done.returncode, done.stdout) == (0, "")


@packer
@pytest.mark.parametrize("variable", ["ssh_interface=telnet", "name_prefix=x"])
def test_a_wrong_value_is_refused_with_what_is_accepted(template: Path, variable: str) -> None:
    done = validate(template, variable)
    assert done.returncode == 1
    assert "Give " in done.stdout


def test_every_variable_is_described() -> None:
    variables = re.findall(
        r'^variable "(\w+)" \{\n(.*?)^\}', TEMPLATE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert len(variables) > 10
    assert [name for name, body in variables if "description = " not in body] == []


def test_there_is_an_image_for_each_system_and_architecture() -> None:
    text = TEMPLATE.read_text()
    names = re.findall(r'^    name +=\s"(.*)"$', text, re.MULTILINE)
    assert sorted(names) == ["al2023-arm64", "al2023-x64", "ubuntu24.04-arm64", "ubuntu24.04-x64"]
    for name, block in re.findall(r'name +=\s"(\S+)"\n(.*?)\n  \}\n', text, re.DOTALL):
        arch = name.rpartition("-")[2]
        assert f'ami_name      = "${{var.name_prefix}}-{name}-' in block
        assert f'instance_type = var.instance_type["{arch}"]' in block
        assert f'architecture = "{ {"x64": "x86_64"}.get(arch, arch) }"' in block
        assert "-minimal-" not in block


def test_an_image_is_encrypted_wants_imdsv2_and_keeps_no_key() -> None:
    text = TEMPLATE.read_text()
    for line in (
        "encrypt_boot                = true",
        "ssh_clear_authorized_keys   = true",
        'imds_support                = "v2.0"',
        'http_tokens                 = "required"',
    ):
        assert line in text
