"""Reads the runner config from SSM, waiting for it as a warm spare does; deletes it when nothing needs it any more."""

import logging
import random
import threading

from agent.deadline import Deadline
from agent.errors import Addressee, AwsError, ConfigError, Interrupted, NoConfig
from agent.events import event, warning
from agent.journal.facts import ConfigFetched, ParametersDeleted
from agent.outcome import Reason
from agent.parameters.runner_config import MEND, RunnerConfig
from agent.parameters.ssm import Parameters
from agent.stages.context import RunContext

log = logging.getLogger(__name__)

SHORTEST_POLL_SECONDS = 1.0
POLL_SHARE = 0.05
"""Of the time that was waited already: a job that comes soon is seen at once, and one that comes late is not much later for it."""
POLL_JITTER = 0.2
"""Spares that booted together must not ask SSM together."""
OUTAGE_SECONDS = 60.0
"""A spare outlives an outage of SSM of this length; the task's retries come on top."""
CREDENTIAL_DEADLINE_SECONDS = 30.0
"""The orchestrator writes two parameters; the second may be a moment late, but not longer than this."""


def fetch_config(
    run: RunContext,
    *,
    deadline: Deadline,
    stop: threading.Event | None = None,
    once: bool = False,
) -> RunnerConfig:
    """Waits until the runner config is there and usable.

    Args:
        run: the run.
        deadline: the standby deadline.
        stop: ends the wait.
        once: looks once and waits for nothing, a stop notwithstanding.

    Raises:
        NoConfig: nothing appeared before the deadline.
        ConfigError: it is there, but cannot be used.
        AwsError: SSM refused, or failed in a way that may pass (`transient`).
        Interrupted: a stop was asked for.
    """
    stop = stop or run.stop.event
    theirs = parameters(run)
    moment = run.clock.monotonic()
    try:
        config = _look(run, theirs) if once else _wait(run, theirs, deadline, stop)
    except ConfigError as exc:
        _note_addressee(run, exc.addressee)
        raise
    run.redactor.add(*config.secrets)
    if config.ignored:
        event(log, "config.keys_ignored", keys=",".join(config.ignored))
    seconds = run.seconds_since(moment)
    already = run.progress.config is not None
    if not already:
        run.journal.add(
            ConfigFetched(
                run.journal.now(),
                run_id=config.run_id,
                job_id=config.job_id,
                repo=config.repo or config.org or "",
                runner_name=config.name_on(run.instance_id),
                queue_url=run.settings.termination_queue_url or config.termination_queue_url,
                seconds=seconds,
                logs_bucket=config.runner_logs_bucket,
                logs_prefix=config.runner_logs_prefix,
            )
        )
    event(
        log,
        "config.fetched",
        run_id=config.run_id,
        job_id=config.job_id,
        repo=config.repo or config.org,
        runner_name=config.name_on(run.instance_id),
        seconds=seconds,
    )
    run.shipper.move(run.spool.agent, run.agent_stream)
    return config


def delete_parameters(run: RunContext) -> bool:
    """Deletes both parameters, best effort: true when they are gone; a refusal is one line in the log."""
    if run.progress.parameters_deleted is not None:
        return True
    try:
        parameters(run).delete()
    except AwsError as exc:
        warning(log, "config.not_deleted", error=exc)
        return False
    run.journal.add(ParametersDeleted(run.journal.now()))
    event(log, "config.deleted")
    return True


def parameters(run: RunContext) -> Parameters:
    """Those of this instance."""
    prefix = run.settings.secrets_path_prefix
    return Parameters(run.clients.late("ssm"), prefix, run.instance_id)


def _note_addressee(run: RunContext, addressee: Addressee | None) -> None:
    """A config that cannot be used may still say whose job it was, and who is to be told."""
    if addressee is None or run.progress.config is not None:
        return
    run.journal.add(
        ConfigFetched(
            run.journal.now(),
            run_id=addressee.run_id,
            job_id=addressee.job_id,
            repo=addressee.repo,
            runner_name=f"runs-fleet-runner-{run.instance_id}",
            queue_url=run.settings.termination_queue_url or addressee.queue_url,
            seconds=0.0,
        )
    )
    run_id, job_id, repo = addressee.run_id, addressee.job_id, addressee.repo
    event(log, "config.unusable", run_id=run_id, job_id=job_id, repo=repo)
    run.shipper.move(run.spool.agent, run.agent_stream)


def _look(run: RunContext, parameters: Parameters) -> RunnerConfig:
    config = parameters.read()
    if config is None:
        raise _nothing_came(run, parameters, half=False)
    return config


def _wait(
    run: RunContext, parameters: Parameters, deadline: Deadline, stop: threading.Event
) -> RunnerConfig:
    began = run.clock.monotonic()
    reader = _PatientReader(run, parameters)
    credential_deadline: Deadline | None = None
    ahead = run.prefetch.config(stop) if run.prefetch is not None else None
    while True:
        config = ahead or reader.read()
        if config is not None and config.has_credential:
            return config
        if config is not None:
            credential_deadline = credential_deadline or deadline.at_most(
                CREDENTIAL_DEADLINE_SECONDS
            )
        until = credential_deadline or deadline
        if until.expired:
            raise reader.trouble or _nothing_came(run, parameters, half=config is not None)
        longest = run.settings.standby_poll_seconds
        # One of two parameters is there: the other one is a moment away.
        waited = 0.0 if credential_deadline else run.clock.monotonic() - began
        pause = poll_pause(waited, longest, in_trouble=reader.trouble is not None)
        jittered = pause * (1 + POLL_JITTER * (2 * random.random() - 1))  # noqa: S311 - no secret
        if run.clock.wait(stop, min(jittered, until.remaining())):
            raise _interrupted(run)


def poll_pause(waited: float, longest: float, *, in_trouble: bool = False) -> float:
    """Seconds until the next look, of one that has waited so long.

    SSM answers 40 GetParameter calls a second and account, where higher throughput is not paid for
    (https://docs.aws.amazon.com/general/latest/gr/ssm.html). A thousand spares that look every 30 s are 33 calls a second.

    Args:
        waited: seconds since the first look.
        longest: seconds between two looks, at most.
        in_trouble: SSM failed, perhaps because too many ask it.
    """
    return min(max(SHORTEST_POLL_SECONDS, waited * POLL_SHARE) * (4 if in_trouble else 1), longest)


class _PatientReader:
    """Reads the parameters; a failure that may pass counts as "not there" until it has lasted too long."""

    def __init__(self, run: RunContext, parameters: Parameters) -> None:
        self._run = run
        self._parameters = parameters
        self._outage: Deadline | None = None
        self.trouble: AwsError | None = None
        """Why the last read brought nothing, where SSM itself failed."""

    def read(self) -> RunnerConfig | None:
        try:
            config = self._parameters.read()
        except AwsError as exc:
            if not exc.transient or (self._outage is not None and self._outage.expired):
                raise
            self.trouble = exc
            if self._outage is None:
                self._outage = Deadline.after(self._run.clock, OUTAGE_SECONDS)
                warning(log, "config.unreadable_for_now", error=exc)
            return None
        self._outage = self.trouble = None
        return config


def _interrupted(run: RunContext) -> Interrupted:
    request = run.stop.request
    if request is not None:
        return Interrupted(request.reason, request.detail)
    return Interrupted(Reason.STOP_SIGNAL, "stopped while waiting for the runner config")


def _nothing_came(run: RunContext, parameters: Parameters, *, half: bool) -> ConfigError:
    if half:
        return ConfigError(
            f"{parameters.config_path} holds neither `jit_config` nor `jit_token`, and {parameters.credential_path} does not exist",
            mend=MEND,
        )
    minutes = run.settings.standby_deadline_minutes
    return NoConfig(
        f"{parameters.config_path} did not appear within {minutes:g} minutes",
        mend="nothing if this was a spare that nobody needed, else see why the orchestrator did not write it",
    )
