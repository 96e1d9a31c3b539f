"""Each permission that `run` needs, tried without doing anything: docs/doctor.md says what each try relies on."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from agent.aws import Clients
from agent.aws_errors import NO_ANSWER, error_code, translate
from agent.cache.s3 import cache_key
from agent.clock import Clock
from agent.doctor.finding import Finding, failed, ok, skipped, warning
from agent.doctor.place import Place
from agent.errors import one_line
from agent.parameters.ssm import Parameters
from agent.settings import Settings

PROBE_KEY = "runners/doctor-probe"
"""Never written: what is sent there has a wrong digest on purpose."""
WRONG_SHA256 = f"{'A' * 43}="
_DENIED = ("AccessDenied", "AccessDeniedException", "Forbidden", "403")
FAILURES = (ClientError, BotoCoreError, ResponseParserError, *NO_ANSWER)


@dataclass(frozen=True, slots=True)
class Probe:
    """One call that shows whether a permission is there.

    Attributes:
        permission: as IAM names it.
        resource: what it is asked for.
        call: makes it.
        allowed: the error codes that only a call that was let through can get.
        proof: what these say, for a person.
        optional: true where `run` goes on without it.
        hidden: true where a refusal may also mean that there is nothing.
    """

    permission: str
    resource: str
    call: Callable[[], Any]
    allowed: tuple[str, ...] = ()
    proof: str = "allowed"
    optional: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a probe, and how far this clock is ahead of AWS's; None where AWS said no time."""

    finding: Finding
    ahead_seconds: float | None


def probes(
    settings: Settings, place: Place, clients: Clients, *, arch: str, now: datetime, send: bool
) -> Iterator[Probe | Finding]:
    """What is to be tried, or why something cannot be.

    Args:
        settings: names of prefix, bucket, queue and log group.
        place: the instance that would be ended.
        clients: of the region.
        arch: as GitHub names it.
        now: the time of the log line.
        send: whether a message may really be sent.
    """
    instance = place.instance_id
    if instance is None:
        for each in ("ec2:TerminateInstances", "ssm:GetParameter", "ssm:DeleteParameter"):
            yield skipped(each, "it is not known which instance this is")
    else:
        yield _terminate(clients, instance)
        yield from _parameters(clients, settings, instance)
    yield from _cache(clients, settings, arch)
    yield _queue(clients, settings, instance or "no-instance", send=send)
    yield from _logs(clients, settings, instance or "no-instance", now)


def try_out(probe: Probe, clock: Clock) -> Answer:
    """Makes the call; never raises what AWS answers."""
    try:
        answer, error = probe.call(), None
    except FAILURES as exc:
        answer, error = getattr(exc, "response", None), exc
    now, then = clock.utc(), _time_of(answer)
    ahead = None if then is None else (now - then) / timedelta(seconds=1)
    if error is not None:
        return Answer(_judge(probe, error), ahead)
    return Answer(ok(probe.permission, f"allowed on {probe.resource}"), ahead)


def _judge(probe: Probe, exc: Exception) -> Finding:
    name, code = probe.permission, error_code(exc)
    if code in probe.allowed:
        return ok(name, f"{probe.proof} on {probe.resource}")
    error = translate(exc, call=name, resource=probe.resource)
    seen = one_line(error.what.removeprefix(f"{name} on "), 300)
    if probe.hidden and code in _DENIED:
        mend = f"{error.mend}; nothing to do where no runner was cached yet"
        return warning(name, f"{seen} (also said of what is not there)", mend=mend)
    return (warning if probe.optional else failed)(name, seen, mend=error.mend)


def _terminate(clients: Clients, instance: str) -> Probe:
    return Probe(
        "ec2:TerminateInstances",
        instance,
        lambda: clients.get("ec2").terminate_instances(InstanceIds=[instance], DryRun=True),
        allowed=("DryRunOperation",),
        proof="allowed, by a dry run,",
    )


def _parameters(clients: Clients, settings: Settings, instance: str) -> Iterator[Probe]:
    paths = Parameters(clients.late("ssm"), settings.secrets_path_prefix, instance)
    never = f"{settings.secrets_path_prefix}/{instance}/doctor"
    yield Probe(
        "ssm:GetParameter",
        paths.config_path,
        lambda: clients.get("ssm").get_parameter(Name=paths.config_path, WithDecryption=True),
        allowed=("ParameterNotFound",),
        proof="allowed, nothing is there yet,",
    )
    yield Probe(
        "ssm:DeleteParameter",
        never,
        lambda: clients.get("ssm").delete_parameter(Name=never),
        allowed=("ParameterNotFound",),
        # A secret that cannot be deleted costs one line in the log.
        optional=True,
    )


def _cache(clients: Clients, settings: Settings, arch: str) -> Iterator[Probe | Finding]:
    bucket = settings.config_bucket
    if bucket is None:
        why = "RUNS_FLEET_CONFIG_BUCKET is not set: no cache"
        yield from (skipped(each, why) for each in ("s3:GetObject", "s3:PutObject"))
        return
    exact = settings.runner_version != "latest"
    key = cache_key(settings.runner_version, arch) if exact else PROBE_KEY
    yield Probe(
        "s3:GetObject",
        f"s3://{bucket}/{key}",
        lambda: clients.get("s3").get_object(Bucket=bucket, Key=key, Range="bytes=0-0"),
        allowed=("NoSuchKey", "InvalidRange"),
        hidden=True,
    )
    yield Probe(
        "s3:PutObject",
        f"s3://{bucket}/{PROBE_KEY}",
        lambda: clients.get("s3").put_object(
            Bucket=bucket, Key=PROBE_KEY, Body=b"doctor", ChecksumSHA256=WRONG_SHA256
        ),
        allowed=("BadDigest", "XAmzContentChecksumMismatch"),
        proof="allowed, nothing was stored,",
    )


def _queue(clients: Clients, settings: Settings, instance: str, *, send: bool) -> Probe | Finding:
    name, url = "sqs:SendMessage", settings.termination_queue_url
    if url is None:
        why = "RUNS_FLEET_TERMINATION_QUEUE_URL is not set: the runner config will name the queue"
        return skipped(name, why)
    if not send:
        return skipped(name, f"a try would send a message to {url}: `doctor --send` does")
    more = (
        {"MessageGroupId": instance, "MessageDeduplicationId": f"doctor-{instance}"}
        if url.endswith(".fifo")
        else {}
    )
    body = f'{{"doctor": "{instance}"}}'
    return Probe(
        name,
        url,
        lambda: clients.get("sqs").send_message(QueueUrl=url, MessageBody=body, **more),
    )


def _logs(
    clients: Clients, settings: Settings, instance: str, now: datetime
) -> Iterator[Probe | Finding]:
    group, stream = settings.log_group, f"doctor/{instance}"
    names = ("logs:CreateLogStream", "logs:PutLogEvents")
    if not group:
        yield from (skipped(each, "RUNS_FLEET_LOG_GROUP is empty: nothing is sent") for each in names)  # fmt: skip
        return
    event = {"timestamp": int(now.timestamp() * 1000), "message": "runs-fleet-agent doctor"}
    where = {"logGroupName": group, "logStreamName": stream}
    already = "ResourceAlreadyExistsException"

    def put() -> Any:
        # It runs beside the other probe, so it makes the stream too.
        client = clients.get("logs")
        with contextlib.suppress(ClientError):
            client.create_log_stream(**where)
        return client.put_log_events(**where, logEvents=[event])

    yield Probe(
        names[0],
        f"{group}, stream {stream}",
        lambda: clients.get("logs").create_log_stream(**where),
        allowed=(already,),
    )
    yield Probe(names[1], f"{group}, stream {stream}", put)


def _time_of(answer: Any) -> datetime | None:
    """The moment in an answer's `Date` header."""
    try:
        date = answer["ResponseMetadata"]["HTTPHeaders"]["date"]
        return parsedate_to_datetime(date).astimezone(UTC)
    except (KeyError, TypeError, ValueError):
        return None
