"""Terraform as the tests call it: its own copy of the module, the provider from a mirror on this machine, no network."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROVIDER = "registry.terraform.io/hashicorp/aws"
PROGRAM = shutil.which("terraform")


def _mirror() -> Path | None:
    """A filesystem mirror that holds the AWS provider."""
    named = os.environ.get("RUNS_FLEET_TF_PLUGINS")
    places = [Path(named)] if named else sorted(Path("/").glob("*/tf-plugins"))
    return next((place for place in places if (place / PROVIDER).is_dir()), None)


MIRROR = _mirror()
needs_terraform = pytest.mark.skipif(PROGRAM is None, reason="there is no terraform in PATH")
needs_provider = pytest.mark.skipif(
    PROGRAM is None or MIRROR is None,
    reason="needs terraform, and in RUNS_FLEET_TF_PLUGINS a filesystem mirror with hashicorp/aws 5.100",
)


class Terraform:
    """One copy of the module and of what it reads."""

    def __init__(self, folder: Path) -> None:
        """Copies it into a folder that does not exist yet."""
        self.module = folder / "terraform"
        self._home = folder
        shutil.copytree(ROOT / "terraform", self.module)
        shutil.copytree(ROOT / "deployments/cloud-init", folder / "deployments/cloud-init")
        self._config = folder / "terraformrc"
        mirror = f'filesystem_mirror {{ path = "{MIRROR}" }}' if MIRROR else ""
        self._config.write_text(f"provider_installation {{\n  {mirror}\n}}\n")

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Nothing of this machine's but the path."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "TF_CLI_CONFIG_FILE": str(self._config),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "NO_PROXY": "127.0.0.1",
            **(more or {}),
        }

    def run(
        self,
        *arguments: str,
        at: Path | None = None,
        environment: Mapping[str, str] | None = None,
        may_fail: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """One command in the module's folder, or at another; with all that it said when it fails."""
        assert PROGRAM is not None
        done = subprocess.run(
            [PROGRAM, *arguments],
            cwd=at or self.module,
            env=self.environment(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode and not may_fail:
            raise AssertionError(f"terraform {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}")
        return done
