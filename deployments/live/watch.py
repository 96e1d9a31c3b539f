"""Follows an instance until it is terminated, and writes down what can be seen only meanwhile."""

import threading

from agent.clock import Clock
from agent.deadline import Deadline
from deployments.live.account import Aws, Say
from deployments.live.github import Repository
from deployments.live.record import Record, Records
from deployments.live.seen import (
    TERMINATED,
    look_at_github,
    look_at_instance,
    said,
    streams,
    take_messages,
)

LATE_LOOKS = 3
"""Pauses that it waits before its last look: CloudWatch shows the last lines, and GitHub a job's end, some seconds after the instance is gone."""


class Watch:
    """The step `watch`."""

    def __init__(
        self,
        aws: Aws,
        repository: Repository,
        records: Records,
        *,
        clock: Clock,
        say: Say,
        pause_seconds: float,
    ) -> None:
        self._aws = aws
        self._repository = repository
        self._records = records
        self._clock = clock
        self._say = say
        self._pause_seconds = pause_seconds

    def __call__(self, record: Record, *, limit_seconds: float) -> bool:
        """Shows states, log lines and messages as they come; false when the limit came before the end."""
        if self._aws.dry_run:
            self._look(record)
            return True
        deadline, never = Deadline.after(self._clock, limit_seconds), threading.Event()
        readers = streams(self._aws, record, self._clock)
        while True:
            record = self._look(record)
            for each in said(readers):
                self._say(str(each))
            if _over(record) or deadline.expired:
                break
            self._clock.wait(never, self._pause_seconds)
        self._clock.wait(never, LATE_LOOKS * self._pause_seconds)
        record = self._look(record)
        for each in said(readers):
            self._say(str(each))
        return _over(record)

    def _look(self, record: Record) -> Record:
        seen = look_at_instance(self._aws, record, self._clock)
        seen = take_messages(self._aws, look_at_github(self._repository, seen))
        if self._aws.dry_run:
            return seen
        if seen.states != record.states:
            self._say(f"EC2: {record.instance_id} is {seen.states[-1][1]}")
        if seen.runner_status != record.runner_status:
            self._say(f"GitHub: {record.runner} is {seen.runner_status}")
        if seen.job != record.job and seen.job is not None:
            self._say(f"GitHub: the job is {seen.job.conclusion or seen.job.status}, {seen.job.url}")  # fmt: skip
        for message in seen.messages[len(record.messages) :]:
            self._say(f"SQS: {message.get('status')}, {message.get('reason', 'no reason yet')}")
        self._records.save(seen)
        return seen


def _over(record: Record) -> bool:
    return bool(record.states) and record.states[-1][1] == TERMINATED
