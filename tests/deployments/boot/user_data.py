"""The user data as terraform makes it."""

import base64
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
CLOUD_INIT = ROOT / "deployments/cloud-init"
TEMPLATE = CLOUD_INIT / "user-data.yaml.tftpl"
BOOT_SCRIPT = CLOUD_INIT / "boot.sh"


@dataclass(frozen=True, slots=True)
class Variables:
    """What the template wants; the defaults are a stock image and settings of usual length."""

    region: str = "eu-central-1"
    bucket: str = "runs-fleet-cache"
    agent_version: str = "0.1.0"
    agent_sha256: str = "a" * 64
    install_sha256: str = "b" * 64
    arch: str = "x64"
    log_group: str = "/runs-fleet/agent"
    dead_man_minutes: float = 495
    environment: dict[str, str] = field(default_factory=dict)
    baked: bool = False
    docker_group: bool = False
    boot_script: str = field(default_factory=BOOT_SCRIPT.read_text)

    def values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def render(variables: Variables, directory: Path) -> str:
    """By terraform's own `templatefile`.

    Args:
        variables: of the template.
        directory: an empty one for terraform to work in.

    Raises:
        ValueError: terraform's words on what is wrong.
    """
    (directory / "variables.json").write_text(json.dumps(variables.values()))
    wanted = f'base64encode(templatefile("{TEMPLATE}", jsondecode(file("variables.json"))))'
    done = subprocess.run(
        ["terraform", "console"],
        check=False,
        input=wanted,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=directory,
        env={**os.environ, "CHECKPOINT_DISABLE": "1"},
    )
    if done.returncode:
        raise ValueError(done.stderr)
    return base64.b64decode(json.loads(done.stdout)).decode()
