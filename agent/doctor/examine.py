"""All checks, side by side where they wait, each within a limit of its own."""

import platform
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import httpx
import psutil

from agent.aws import Clients
from agent.bounded import within
from agent.clock import Clock
from agent.deadline import Deadline
from agent.doctor import machine, outside, permissions, place, runner, units
from agent.doctor.finding import Finding, failed, skipped
from agent.errors import AgentError
from agent.instance.imds import Metadata
from agent.releases.version import architecture
from agent.settings import Settings
from agent.watchers.disk import free_bytes

Told = TypeVar("Told")
AWS_SECONDS = 12
"""A probe that got no answer by then, retries and credentials included, will get none."""
GITHUB_SECONDS = 8
"""To connect, and for each part of the answer."""
THREADS = 16
"""As many as can wait at once: nine probes, GitHub twice, the import."""


def examine_image(environment: Mapping[str, str]) -> list[Finding]:
    """What can be true of an image while it is baked: nothing of IMDS, AWS, GitHub or this instance's settings."""
    settings = Settings.usable_part(environment)
    return [
        machine.check_python(),
        machine.check_imports(machine.WHOLE, limit_seconds=machine.WHOLE_SECONDS),
        *_machine(settings, must_be_there=True),
        *_runner(settings, environment, must_be_there=True),
        units.check_units(must_be_there=True),
    ]


def examine(environment: Mapping[str, str], clock: Clock, *, send: bool) -> list[Finding]:
    """Everything that `run` needs, in the order in which it is needed. Some 20 s at most, where nothing answers.

    Args:
        environment: the agent's.
        clock: for limits, and to be compared with AWS's.
        send: whether a message may really be sent to the queue.
    """
    settings, of_settings = place.check_settings(environment)
    with ThreadPoolExecutor(THREADS) as pool:
        imports = pool.submit(machine.check_imports)
        github = [
            pool.submit(_ask_github, check, settings, clock)
            for check in (outside.check_github, outside.check_github_api)
        ]
        metadata = Metadata(environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"))
        where, of_place = place.check_place(settings, metadata)
        metadata.close()
        aws = _permissions(settings, where, clock, pool, send=send)
        return [
            machine.check_python(),
            imports.result(),
            of_settings,
            *_machine(settings, must_be_there=False),
            *of_place,
            *(answer.finding for answer in aws),
            outside.check_clock([answer.ahead_seconds for answer in aws]),
            *(each.result() for each in github),
            *_runner(settings, environment, must_be_there=False),
            units.check_units(must_be_there=False),
        ]


def _machine(settings: Settings, *, must_be_there: bool) -> list[Finding]:
    return [
        *machine.check_disk(settings, free_bytes),
        machine.check_memory(settings, psutil.virtual_memory().available),
        machine.check_runner_user(settings),
        machine.check_firewall(settings, must_be_there=must_be_there),
    ]


def _runner(
    settings: Settings, environment: Mapping[str, str], *, must_be_there: bool
) -> list[Finding]:
    run = partial(runner.run_program, environment=environment)
    return [
        runner.check_runner(settings, must_be_there=must_be_there),
        runner.check_libraries(settings.runner_dir, run),
    ]


def _permissions(
    settings: Settings, where: place.Place, clock: Clock, pool: ThreadPoolExecutor, *, send: bool
) -> Sequence[permissions.Answer]:
    if where.region is None:
        why = "no region is known"
        return [permissions.Answer(skipped("AWS permissions", why), None)]
    try:
        arch = architecture(platform.machine())
    except AgentError as exc:
        return [permissions.Answer(failed("architecture", exc.what, mend=exc.mend), None)]
    probes = permissions.probes(
        settings, where, Clients(where.region), arch=arch, now=clock.utc(), send=send
    )
    return list(pool.map(lambda probe: _tried(probe, clock), probes))


def _tried(probe: permissions.Probe | Finding, clock: Clock) -> permissions.Answer:
    if isinstance(probe, Finding):
        return permissions.Answer(probe, None)
    name = probe.permission
    try:
        deadline = Deadline.after(clock, AWS_SECONDS)
        return within(deadline, lambda: permissions.try_out(probe, clock), what=name)
    except AgentError as exc:
        return permissions.Answer(failed(name, exc.what, mend=exc.mend), None)


def _ask_github(
    check: Callable[[Settings, httpx.Client], Finding], settings: Settings, clock: Clock
) -> Finding:
    """Bounded from outside: DNS may hang for longer than any time-out of the library."""

    def ask() -> Finding:
        with httpx.Client(timeout=GITHUB_SECONDS, follow_redirects=False) as client:
            return check(settings, client)

    try:
        return within(Deadline.after(clock, 2 * GITHUB_SECONDS), ask, what="GitHub")
    except AgentError as exc:
        return failed("GitHub", exc.what, mend=exc.mend)
