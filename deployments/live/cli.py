"""The steps, each behind the account's check; words for people go to stderr, results to stdout."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import boto3
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from agent.aws import share_service_models
from agent.aws_errors import in_words
from agent.clock import SystemClock
from agent.errors import AgentError
from deployments.live.account import Aws, Place, Refused, opened
from deployments.live.check import check
from deployments.live.evidence import Evidence
from deployments.live.github import Repository, connected, own_token
from deployments.live.launch import Launch, Machine
from deployments.live.options import parser
from deployments.live.publish import publish
from deployments.live.record import Record, Records
from deployments.live.seen import (
    look_at_github,
    look_at_instance,
    said,
    streams,
    take_messages,
    with_instance,
)
from deployments.live.tear_down import interrupt, leftovers, tear_down
from deployments.live.verify import verify
from deployments.live.watch import Watch

FAILED = 1
REFUSED = 2
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """0 when the step came to its end and all was well, 1 when not, 2 when it did not begin."""
    given = parser().parse_args(arguments)
    try:
        place = Place(given.account, given.region)
        aws = opened(_session(given.profile), place, dry_run=given.dry_run, say=_say)
        with ExitStack() as stack:
            return 0 if Step(given, aws, stack)() else FAILED
    except Refused as exc:
        sys.stderr.write(f"live: {exc}\n")
        return REFUSED
    except (BotoCoreError, ClientError) as exc:
        sys.stderr.write(f"live: {in_words(exc)}\n")
        return FAILED
    except (AgentError, OSError) as exc:
        sys.stderr.write(f"live: {exc}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("live: stopped; what was launched goes on, `live tear-down` ends it\n")
        return INTERRUPTED


class Step:
    """One step in an account that was checked."""

    def __init__(self, given: argparse.Namespace, aws: Aws, stack: ExitStack) -> None:
        self._given = given
        self._aws = aws
        self._stack = stack
        self._records = Records(given.records)
        self._clock = SystemClock()

    def __call__(self) -> bool:
        """Whether all was well."""
        done: bool = getattr(self, f"_{self._given.step.replace('-', '_')}")()
        return done

    def _check(self) -> bool:
        record = self._wanted()
        repository, bucket = self._repository(record), self._given.bucket
        return check(self._aws, repository, record, self._machine(), bucket=bucket, say=_say)

    def _publish(self) -> bool:
        return publish(self._aws, self._given.bucket, _say, profile=self._given.profile)

    def _launch(self) -> bool:
        wanted = self._wanted()
        ref = None if self._given.no_dispatch else self._given.ref
        launch = Launch(
            self._aws, self._repository(wanted), self._records, clock=self._clock, say=_say
        )
        launch(wanted, self._machine(), ref=ref)
        return True

    def _watch(self) -> bool:
        record = self._launched()
        follow = Watch(
            self._aws,
            self._repository(record),
            self._records,
            clock=self._clock,
            say=_say,
            pause_seconds=self._given.every,
        )
        over = follow(record, limit_seconds=self._given.minutes * 60)
        if not over:
            _say(f"still there after {self._given.minutes:g} min: `live tear-down` ends it")
        return over

    def _interrupt(self) -> bool:
        interrupt(self._aws, self._known(), _say)
        return True

    def _verify(self) -> bool:
        record = look_at_instance(self._aws, self._launched(), self._clock)
        record = look_at_github(self._repository(record), take_messages(self._aws, record))
        if self._aws.dry_run:
            return True
        self._records.save(record)
        readers = streams(self._aws, record, self._clock)
        return verify(Evidence.of(record, said(readers)), _say)

    def _tear_down(self) -> bool:
        record = self._known()
        tear_down(
            self._aws,
            self._repository(record),
            self._records,
            record,
            keep_logs=self._given.keep_logs,
            say=_say,
        )
        return True

    def _leftovers(self) -> bool:
        record = self._known()
        repository = self._repository(record)
        return leftovers(self._aws, repository, self._records, record, clock=self._clock, say=_say)

    def _wanted(self) -> Record:
        given = self._given
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", given.repo):
            raise Refused(f"--repo is {given.repo!r}; give owner/name")
        if given.own_queue and not given.queue_url:
            raise Refused("--own-queue needs --queue-url")
        return Record(
            test_id=given.id,
            account=given.account,
            region=given.region,
            repo=given.repo,
            scenario=given.scenario,
            prefix=given.prefix,
            log_group=given.log_group,
            launched_at="",
            queue_url=given.queue_url,
            own_queue=given.own_queue,
        )

    def _machine(self) -> Machine:
        given = self._given
        return Machine(
            given.launch_template,
            given.template_version,
            given.instance_type,
            given.subnet,
            spot=given.spot,
        )

    def _known(self) -> Record:
        record = self._records.load(self._given.id)
        if (record.account, record.region) != (self._given.account, self._given.region):
            raise Refused(
                f"test {record.test_id} is in {record.account}, {record.region}; say that --account and --region"
            )
        return with_instance(self._aws, record)

    def _launched(self) -> Record:
        record = self._known()
        if not record.instance_id:
            raise Refused(
                f"no instance of test {record.test_id} is known, its launch failed; "
                f"call `live tear-down --id {record.test_id}`, and launch with another --id"
            )
        return record

    def _repository(self, record: Record) -> Repository:
        if self._aws.dry_run:
            return Repository(record.repo, None, _say)
        http = connected(self._given.github_api_url, own_token(os.environ))
        return Repository(record.repo, self._stack.enter_context(http), _say)


def _session(profile: str | None) -> Any:
    core = botocore.session.Session(profile=profile)
    share_service_models(core)
    return boto3.session.Session(botocore_session=core)


def _say(line: str) -> None:
    print(line, flush=True)
