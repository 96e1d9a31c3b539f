"""A cloud with an agent in its bucket, and machines that boot in it."""

import hashlib
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from agent.localcloud.account import OperatorClients
from agent.localcloud.cloud import BUCKET, INSTANCE_TYPE, LOG_GROUP, LocalCloud
from agent.localcloud.cloud import IMAGE as IMAGE_ID
from agent.localcloud.github_releases import ArchiveOnDisk
from agent.localcloud.imds import SECRET_ACCESS_KEY, SESSION_TOKEN, Imds
from agent.localcloud.runner.build import build_archive
from agent.localcloud.runner.scenario import Scenario
from agent.localcloud.server import HttpServer
from tests.deployments.boot.machine import IMAGE, Machine, impossible
from tests.deployments.boot.signed import SignedOnly
from tests.deployments.boot.user_data import Variables, render
from tests.deployments.standins import INSTALL

PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
"""For the stand-in runner; an ordinary user may not be able to execute ours."""


HAS_ICU = {"/usr/local/sbin/ldconfig": "#!/bin/sh\necho libicuuc.so.74\n"}


def drop_in(*lines: str) -> dict[str, str]:
    """A file that changes the unit of the boot script."""
    path = "/etc/systemd/system/runs-fleet-boot.service.d/test.conf"
    return {path: "\n".join(["[Service]", *lines, ""])}


@dataclass(frozen=True, slots=True)
class Published:
    """What is in the bucket for the instances."""

    artefact: bytes = b"the agent"
    install: str = INSTALL

    def variables(self) -> dict[str, Any]:
        return {
            "bucket": BUCKET,
            "log_group": LOG_GROUP,
            "agent_sha256": hashlib.sha256(self.artefact).hexdigest(),
            "install_sha256": hashlib.sha256(self.install.encode()).hexdigest(),
        }


@dataclass
class World:
    """One instance in the embedded cloud, and what it is told."""

    cloud: LocalCloud
    operator: OperatorClients
    signed: SignedOnly
    url: str
    """Of an AWS that looks at curl's signatures."""
    directory: Path
    stack: ExitStack
    settings: dict[str, str] = field(default_factory=dict)
    """Of agent.env, on top of what leads to the cloud."""

    @property
    def archive(self) -> ArchiveOnDisk:
        """The runner that GitHub has."""
        return self.cloud._archive

    def publish(self, published: Published) -> None:
        for name, body in (
            ("runs-fleet-agent.pex", published.artefact),
            ("install.sh", published.install.encode()),
        ):
            key = f"agent/{Variables().agent_version}/{Variables().arch}/{name}"
            self.operator.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)

    def environment(self) -> dict[str, str]:
        return {
            **self.cloud.environment(),
            "AWS_ENDPOINT_URL": self.url,
            "RUNS_FLEET_TERMINATION_QUEUE_URL": self.cloud.queue_url,
            "RUNS_FLEET_RUNNER_USER": "root",
            **self.settings,
        }

    def leads(self) -> list[str]:
        """The way to the cloud, for a boot script that finds no settings."""
        return [f'Environment="{name}={value}"' for name, value in self.environment().items()]

    def boot(
        self,
        published: Published | None = None,
        *,
        cloud_init: bool = False,
        files: Mapping[str, str] | None = None,
        image: str | None = None,
        **variables: Any,
    ) -> Machine:
        """A machine that fetches each thing once only, and ends with the test.

        Args:
            published: what is in the bucket.
            cloud_init: see `Machine`.
            files: see `Machine`.
            image: what was done to its disk before; see `IMAGE`.
            variables: of the template.
        """
        published = published or Published()
        self.publish(published)
        told = {**published.variables(), "environment": self.environment(), **variables}
        text = render(replace(Variables(), **told), self.directory)
        once = text.replace("runs-fleet-boot start --bucket", "runs-fleet-boot start --retries 0 --bucket")  # fmt: skip
        place = self.directory / "machine"
        place.mkdir()
        on_disk = {**HAS_ICU, **(files or {}), **({IMAGE: image} if image else {})}
        return self.stack.enter_context(Machine(once, place, cloud_init=cloud_init, files=on_disk))

    def said(self) -> list[str]:
        """The lines in the log stream of this boot."""
        return self.cloud.log_lines(f"boot/{self.cloud.instance_id}/agent")

    def messages(self) -> list[dict[str, Any]]:
        """What the orchestrator was told of this instance."""
        ours = self.cloud.instance_id
        return [told for told in self.cloud.messages() if told["instance_id"] == ours]

    def ended(self) -> bool:
        """Whether it has ended itself, and nobody else."""
        return self.cloud.instance_id in self.cloud.terminated_instances()


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[LocalCloud, OperatorClients]]:
    """The embedded cloud: it takes longer to start than an instance."""
    if (why := impossible()) is not None:
        pytest.skip(why)
    if shutil.which("terraform") is None:
        pytest.skip("the user data is rendered by terraform, which is not on this machine")
    directory = tmp_path_factory.mktemp("cloud")
    archive = build_archive(directory, Scenario(time_scale=0.05), interpreter=PYTHON)
    with LocalCloud(directory, archive) as cloud:
        yield cloud, OperatorClients(cloud.aws.url, cloud.region, directory / "none")


@pytest.fixture
def world(shared: tuple[LocalCloud, OperatorClients], tmp_path: Path) -> Iterator[World]:
    """A cloud without faults, and in it an instance that nobody has used."""
    cloud, operator = shared
    made = operator.client("ec2").run_instances(
        ImageId=IMAGE_ID, InstanceType=INSTANCE_TYPE, MinCount=1, MaxCount=1
    )
    cloud.instance_id = made["Instances"][0]["InstanceId"]
    cloud.metadata.stop()
    cloud.metadata = Imds(instance_id=cloud.instance_id, region=cloud.region)
    cloud.metadata.start()
    signed = SignedOnly(cloud.aws, secret=SECRET_ACCESS_KEY, token=SESSION_TOKEN)
    server = HttpServer(signed, name="signed-only")
    server.start()
    with ExitStack() as stack:
        stack.callback(server.stop)
        stack.callback(cloud.faults.clear)
        yield World(cloud, operator, signed, server.url, tmp_path, stack)
