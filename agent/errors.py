"""What can go wrong, as few named errors; each says what, where and how to mend it in one line.

AgentError
├── SettingsError          an environment variable cannot be used
├── ConfigError            the runner config in SSM cannot be used
│   └── NoConfig           it did not appear before the standby deadline
├── AwsError               an AWS call failed (transient or refused)
├── ReleaseError           GitHub has no such version or asset, or no digest for it
├── DownloadError          the archive could not be fetched (transient or not)
├── DigestMismatch         the archive is not the published one
├── ArchiveError           the archive is damaged, unsafe or no runner
├── RunnerDirError         the runner directory cannot be used
├── RegistrationError      config.sh failed (transient or not)
│   └── TokenExpired       … because the token is no longer taken
└── Interrupted            a stop was asked for while a stage was at work
"""

from dataclasses import dataclass

from agent.outcome import Reason


class AgentError(Exception):
    """A failure with its outcome class and its mend.

    Attributes:
        what: what happened and where, without a final full stop.
        mend: what the person on call does about it.
        reason: the outcome class that the final message carries.
        transient: true when the same call may well succeed a little later.
    """

    reason: Reason = Reason.AGENT_CRASHED
    transient: bool = False

    def __init__(self, what: str, *, mend: str, transient: bool | None = None) -> None:
        self.what = one_line(what)
        self.mend = one_line(mend)
        if transient is not None:
            self.transient = transient
        super().__init__(f"{self.what}; {self.mend}")


class SettingsError(AgentError):
    reason = Reason.SETTINGS_INVALID


@dataclass(frozen=True, slots=True)
class Addressee:
    """What a runner config that cannot be used still says about who waits for this instance; empty where it says nothing usable."""

    run_id: str
    job_id: str
    repo: str
    queue_url: str


class ConfigError(AgentError):
    reason = Reason.CONFIG_INVALID
    addressee: Addressee | None = None


class NoConfig(ConfigError):
    reason = Reason.NO_CONFIG


class AwsError(AgentError):
    """An AWS call failed; `transient` tells an outage from a refusal."""

    reason = Reason.AWS_REFUSED

    def __init__(self, what: str, *, mend: str, transient: bool = False) -> None:
        super().__init__(what, mend=mend, transient=transient)
        if transient:
            self.reason = Reason.AWS_UNAVAILABLE


class ReleaseError(AgentError):
    reason = Reason.RELEASE_NOT_FOUND


class DownloadError(AgentError):
    """The archive could not be fetched; `retry_after_seconds` is the source's own wish, where it said one."""

    reason = Reason.DOWNLOAD_FAILED
    transient = True

    def __init__(
        self,
        what: str,
        *,
        mend: str,
        transient: bool | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(what, mend=mend, transient=transient)
        self.retry_after_seconds = retry_after_seconds


class DigestMismatch(AgentError):
    reason = Reason.DIGEST_MISMATCH


class ArchiveError(AgentError):
    reason = Reason.ARCHIVE_INVALID


class RunnerDirError(AgentError):
    reason = Reason.RUNNER_DIR_UNUSABLE


class RegistrationError(AgentError):
    reason = Reason.REGISTRATION_FAILED


class TokenExpired(RegistrationError):
    reason = Reason.TOKEN_EXPIRED


class Interrupted(AgentError):
    """A stop was asked for; `reason` is the stop's own."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail, mend="the instance ends as asked")
        self.reason = reason


def over_its_limit(stage: str, seconds: float) -> TimeoutError:
    """For the caller who knows which stage it was: neither asyncio nor Prefect says so."""
    return TimeoutError(f"stage `{stage}` did not end within {seconds:g} s")


def one_line(text: str, limit: int = 800) -> str:
    """The text on one line, without control characters, at most `limit` characters."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
