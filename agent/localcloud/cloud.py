"""AWS, IMDS and GitHub together, as one instance finds them, and what may be asked of them afterwards."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from agent.clock import Clock, SystemClock, rfc3339
from agent.localcloud.account import OperatorClients, QueueReader, lines_of
from agent.localcloud.aws import AwsServer
from agent.localcloud.faults import Faults
from agent.localcloud.github import GitHub
from agent.localcloud.github_releases import ArchiveOnDisk, GitHubOptions
from agent.localcloud.imds import Imds
from agent.localcloud.jit import encoded_jit_config
from agent.localcloud.seed import (
    BUCKET,
    IMAGE,
    INSTANCE_TYPE,
    LOG_GROUP,
    PARAMETERS,
    Names,
    Seed,
    Seeded,
)

__all__ = ["BUCKET", "IMAGE", "INSTANCE_TYPE", "LOG_GROUP", "PARAMETERS", "LocalCloud"]

FOREIGN_PREFIXES = ("AWS_", "RUNS_FLEET_", "PREFECT_")
GONE = ("shutting-down", "terminated")


class LocalCloud:
    """Everything outside the instance, from `with` to the end of its block. One a process.

    Attributes:
        instance_id: of the one EC2 instance, unless another id was asked for.
        region: of everything.
        queue_url: of the termination queue.
        faults: what is to go wrong, in any of the three.
        aws: the embedded account; `aws.calls` is the record of what the agent asked.
        names: what bucket, log group, parameters and queue are called.
        metadata: the instance's IMDS.
        github: GitHub.
    """

    instance_id: str
    queue_url: str
    metadata: Imds
    _seed: Seed
    _seeded: Seeded

    def __init__(
        self,
        workdir: Path,
        archive: ArchiveOnDisk,
        *,
        options: GitHubOptions | None = None,
        fifo: bool = False,
        instance_id: str | None = None,
        region: str = "eu-central-1",
        clock: Clock | None = None,
        aws_endpoint: str | None = None,
    ) -> None:
        """Starts nothing yet.

        Args:
            workdir: a directory of the caller's; nothing is written into it.
            archive: the runner that GitHub has.
            options: how GitHub behaves.
            fifo: whether the queue is a FIFO queue.
            instance_id: an id other than that of the instance in EC2.
            region: of everything.
            clock: the time of notices, tokens and faults.
            aws_endpoint: an AWS-compatible server that runs already, in place of the embedded one: what is made there
                has names of its own and is deleted at the end; it meets no fault and there is no record of its calls.
        """
        self.region = region
        self._clock = clock or SystemClock()
        self._nowhere = workdir / "no-such-aws-config"
        self._archive = archive
        self._fifo = fifo
        self._wanted_id = instance_id
        self.faults = Faults(self._clock)
        self.aws = AwsServer(faults=self.faults, clock=self._clock)
        self._endpoint = aws_endpoint
        self.names = Names.of_its_own() if aws_endpoint else Names()
        self.github = GitHub(archive, options, faults=self.faults, clock=self._clock)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Starts all or nothing.

        Raises:
            RuntimeError: another one is alive in this process.
            OSError: no port could be bound.
        """
        with ExitStack() as stack:
            if self._endpoint is None:
                self.aws.start()
                stack.callback(self.aws.stop)
            self._fill(stack)
            self.metadata = Imds(
                instance_id=self.instance_id,
                region=self.region,
                instance_type=INSTANCE_TYPE,
                faults=self.faults,
                clock=self._clock,
            )
            self.metadata.start()
            stack.callback(self.metadata.stop)
            self.github.start()
            stack.callback(self.github.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self.faults.clear()
        self._stack.close()

    @property
    def aws_url(self) -> str:
        """Where AWS is, embedded or not."""
        return self._endpoint or self.aws.url

    def environment(self, *, instance_id: bool = False) -> dict[str, str]:
        """The variables that `runs-fleet-agent run` needs; the id and the region come from IMDS.

        The AWS settings of the machine are shut out by files that do not exist, but variables that
        are set already stay: see `environment_over`.
        """
        own = {"RUNS_FLEET_INSTANCE_ID": self.instance_id} if instance_id else {}
        return own | {
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": self.metadata.url,
            "AWS_EC2_METADATA_DISABLED": "false",
            "AWS_CONFIG_FILE": str(self._nowhere),
            "AWS_SHARED_CREDENTIALS_FILE": str(self._nowhere),
            "RUNS_FLEET_CONFIG_BUCKET": self.names.bucket,
            "RUNS_FLEET_LOG_GROUP": self.names.log_group,
            "RUNS_FLEET_SECRETS_PATH_PREFIX": self.names.parameters,
            "RUNS_FLEET_GITHUB_API_URL": self.github.url,
            "RUNS_FLEET_GITHUB_URL": self.github.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def environment_over(self, base: Mapping[str, str], **more: str) -> dict[str, str]:
        """`environment` and `more` over a whole environment, whose own AWS settings are left out."""
        kept = {k: v for k, v in base.items() if not k.startswith(FOREIGN_PREFIXES)}
        return kept | self.environment() | more

    def write_config(self, **overrides: Any) -> dict[str, Any]:
        """Writes a good runner config for this instance; a value of None leaves its key out.

        Its registration token is fresh and valid.
        """
        config = {
            "org": "octo-org",
            "repo": "octo-org/hello-world",
            "run_id": "4711",
            "jit_token": self.github.issue_registration_token(),
            "labels": ["self-hosted", "linux", "runs-fleet"],
            "job_id": "815",
            "runner_name": f"runs-fleet-runner-{self.instance_id}",
            "termination_queue_url": self.queue_url,
            "created_at": rfc3339(self._clock.utc()),
        }
        config = {k: v for k, v in (config | overrides).items() if v is not None}
        self.write_raw_config(json.dumps(config))
        return config

    def write_raw_config(self, text: str) -> None:
        """Writes any text in place of a runner config."""
        self._put_parameter("config", text)

    def write_credential(self, credential: Mapping[str, Any]) -> None:
        """Writes the second parameter, which overrides the config's two credential keys."""
        self._put_parameter("credential", json.dumps(credential))

    def delete_parameters(self) -> None:
        """Deletes them all, as if the orchestrator had never written one."""
        for name in self.parameters():
            self._client("ssm").delete_parameter(Name=name)

    def parameters(self) -> list[str]:
        """The names of the runner parameters that exist, of every instance."""
        return self._seed.parameters()

    def encoded_jit_config(
        self, name: str = "runs-fleet-jit", extra: Mapping[str, bytes] | None = None
    ) -> str:
        """What GitHub would hand out for `jit_config`, with more files on demand."""
        return encoded_jit_config(name, f"{self.github.url}/_standin/", extra)

    def messages(self) -> list[dict[str, Any]]:
        """The body of every message ever queued, in order. Taking them out is part of looking."""
        return self._queue.bodies()

    def raw_messages(self) -> list[dict[str, Any]]:
        """The same with their attributes, as SQS gives them."""
        return self._queue.raw()

    def log_streams(self) -> list[str]:
        """The names of all streams of the log group."""
        pages = self._client("logs").get_paginator("describe_log_streams")
        found = pages.paginate(logGroupName=self.names.log_group)
        return sorted(s["logStreamName"] for page in found for s in page["logStreams"])

    def log_lines(self, stream: str) -> list[str]:
        """Every event of a stream by time; none for a stream that does not exist."""
        return lines_of(self._client("logs"), self.names.log_group, stream)

    def cached_archives(self) -> dict[str, tuple[int, dict[str, str]]]:
        """Size and metadata of every object under `runners/`."""
        s3 = self._client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.names.bucket, Prefix="runners/"
        )
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        heads = {key: s3.head_object(Bucket=self.names.bucket, Key=key) for key in keys}
        return {key: (head["ContentLength"], head["Metadata"]) for key, head in heads.items()}

    def stored(self, prefix: str) -> dict[str, bytes]:
        """The objects of the bucket whose key begins with the prefix, as they were put."""
        s3 = self._client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.names.bucket, Prefix=prefix
        )
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {
            key: s3.get_object(Bucket=self.names.bucket, Key=key)["Body"].read() for key in keys
        }

    def put_cached(self, data: bytes | Path, *, sha256: str | None) -> str:
        """Puts bytes where the archive is looked for; returns the key.

        S3's own checksum is that of the bytes, as S3 would have it; the metadata says `sha256`,
        right or wrong, or nothing.
        """
        version, arch = self._archive.version, self._archive.arch
        key = f"runners/{version}/{arch}/actions-runner-{version}.tar.gz"
        self._client("s3").put_object(
            Bucket=self.names.bucket,
            Key=key,
            Body=data if isinstance(data, bytes) else data.read_bytes(),
            ChecksumAlgorithm="SHA256",
            Metadata={"sha256": sha256} if sha256 else {},
        )
        return key

    def instance_state(self) -> str:
        """EC2's word for how the instance is, such as `running` or `terminated`."""
        return self._state_of(self.instance_id)

    def terminated_instances(self) -> list[str]:
        """The ids of every TerminateInstances call that took effect; a dry run does not.

        Of an outside account: those of this instance and its bystander that are terminated.
        """
        if self._endpoint is not None:
            both = (self._seeded.instance_id, self._seeded.bystander_id)
            return [each for each in both if self._state_of(each) in GONE]
        done = [c for c in self.aws.calls if c.operation == "TerminateInstances" and c.carried_out]
        return [instance for call in done for instance in call.instance_ids]

    def _state_of(self, instance_id: str) -> str:
        answer = self._client("ec2").describe_instances(InstanceIds=[instance_id])
        return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])

    def _fill(self, stack: ExitStack) -> None:
        self._operator = OperatorClients(self.aws_url, self.region, self._nowhere)
        self._seed = Seed(self._client, self.region, self.names)
        if self._endpoint is not None:
            stack.callback(self._seed.take_away)
        self._seeded = self._seed.make(fifo=self._fifo)
        self.queue_url = self._seeded.queue_url
        self._queue = QueueReader(self._client("sqs"), self.queue_url)
        self.instance_id = self._wanted_id or self._seeded.instance_id

    def _put_parameter(self, leaf: str, text: str) -> None:
        name = f"{self.names.parameters}/{self.instance_id}/{leaf}"
        self._client("ssm").put_parameter(
            Name=name, Value=text, Type="SecureString", Overwrite=True
        )

    def _client(self, service: str) -> Any:
        return self._operator.client(service)
