"""How a run ended, in words from closed lists.

A new word has a price: whoever receives the final message may have rules for each `reason`, so a new one needs its line in
`EXPLAINED`, in the README's table (generated from it) and in the release notes. Never rename one.
"""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How the *runner* fared (contract section 5); the orchestrator acts on it."""

    STARTED = "started"
    SUCCESS = "success"
    FAILURE = "failure"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"


class JobResult(StrEnum):
    """How the *workflow's job* fared, as far as the runner said so."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    ABANDONED = "abandoned"
    NONE = "none"
    UNKNOWN = "unknown"


class Reason(StrEnum):
    """Why the run ended: the documented outcome classes."""

    JOB_SERVED = "job_served"
    NO_JOB = "no_job"
    JOB_NEVER_STARTED = "job_never_started"
    NO_CONFIG = "no_config"
    STOP_SIGNAL = "stop_signal"
    SPOT_NOTICE = "spot_notice"
    REBALANCE = "rebalance"
    MAX_RUNTIME = "max_runtime"
    DISK_FULL = "disk_full"
    SETTINGS_INVALID = "settings_invalid"
    CONFIG_INVALID = "config_invalid"
    AWS_REFUSED = "aws_refused"
    AWS_UNAVAILABLE = "aws_unavailable"
    RELEASE_NOT_FOUND = "release_not_found"
    DOWNLOAD_FAILED = "download_failed"
    DIGEST_MISMATCH = "digest_mismatch"
    ARCHIVE_INVALID = "archive_invalid"
    RUNNER_DIR_UNUSABLE = "runner_dir_unusable"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - the name of an outcome
    REGISTRATION_FAILED = "registration_failed"
    RUNNER_TERMINATED = "runner_terminated"
    RUNNER_DEPRECATED = "runner_deprecated"
    RUNNER_RESTART_LOOP = "runner_restart_loop"
    SESSION_CONFLICT = "session_conflict"
    RUNNER_NEVER_LISTENED = "runner_never_listened"
    RUNNER_HUNG = "runner_hung"
    RUNNER_LOST = "runner_lost"
    RUNNER_CRASHED = "runner_crashed"
    STAGE_TIMEOUT = "stage_timeout"
    AGENT_CRASHED = "agent_crashed"


@dataclass(frozen=True, slots=True)
class Explained:
    """What a reason means to the orchestrator and to the person on call."""

    status: Status
    exit_status: int
    meaning: str
    what_to_do: str


_S, _F, _T, _I = Status.SUCCESS, Status.FAILURE, Status.TIMEOUT, Status.INTERRUPTED

EXPLAINED: dict[Reason, Explained] = {
    Reason.JOB_SERVED: Explained(_S, 0, "The runner took a job and ended in order, whatever the job's result.", "Nothing; the job's own result is in `job_result`."),
    Reason.NO_JOB: Explained(_F, 0, "The runner listened, but GitHub never gave it a job within `RUNS_FLEET_JOB_WAIT_MINUTES`.", "Compare the labels of the runner config with the job's `runs-on`; the job may have been cancelled or taken by another runner."),
    Reason.JOB_NEVER_STARTED: Explained(_F, 1, "GitHub assigned a job to the runner, and the listener never began it.", "Re-run the job; a newer runner version may mend the listener."),
    Reason.NO_CONFIG: Explained(_F, 0, "No runner config appeared in SSM before the standby deadline (an unused spare).", "Nothing for a spare; else see why the orchestrator did not write `{prefix}/{instance_id}/config`."),
    Reason.STOP_SIGNAL: Explained(_I, 0, "SIGTERM or SIGINT: systemd stopped the agent or the machine is shutting down.", "Find out who stopped the instance; re-run the job."),
    Reason.SPOT_NOTICE: Explained(_I, 0, "EC2 announced that it takes the spot instance back.", "Re-run the job; use on-demand where this happens too often."),
    Reason.REBALANCE: Explained(_I, 0, "EC2 recommended to leave the spot instance, and `RUNS_FLEET_STOP_ON_REBALANCE` is set.", "Re-run the job, or do not set it: most recommendations are not followed by a notice."),
    Reason.MAX_RUNTIME: Explained(_T, 0, "The job ran longer than `RUNS_FLEET_MAX_RUNTIME_MINUTES` and was stopped.", "Look at the last lines of the runner stream; raise the limit only if the job is meant to be that long."),
    Reason.DISK_FULL: Explained(_F, 0, "Less than `RUNS_FLEET_DISK_MIN_FREE_MB` were free and the job was stopped.", "Give the launch template a larger volume or let the job clean up after itself."),
    Reason.SETTINGS_INVALID: Explained(_F, 2, "An environment variable has a value that cannot be used.", "Mend the variable that the message names, in the launch template's user data."),
    Reason.CONFIG_INVALID: Explained(_F, 1, "The runner config or credential in SSM cannot be used.", "Mend what the message names in the orchestrator that writes it."),
    Reason.AWS_REFUSED: Explained(_F, 1, "AWS refused a call: permission, credentials, a queue or a region that does not exist.", "Give the instance role what the message names, or mend the name."),
    Reason.AWS_UNAVAILABLE: Explained(_F, 1, "AWS could not be reached or went on failing through all retries.", "Check the subnet's route or VPC endpoint for the service that the message names."),
    Reason.RELEASE_NOT_FOUND: Explained(_F, 1, "GitHub has no such runner version, or no archive of it for this architecture.", "Set `RUNS_FLEET_RUNNER_VERSION` to a version from the runner's releases page."),
    Reason.DOWNLOAD_FAILED: Explained(_F, 1, "The runner's archive could not be downloaded from the cache or from GitHub.", "Check the way to GitHub and the rate limit; fill the S3 cache."),
    Reason.DIGEST_MISMATCH: Explained(_F, 1, "The archive's SHA-256 is not the published one, from either source; nothing of it was executed.", "Treat it as an attack until shown otherwise: check the pin, the proxy and who may write to the bucket."),
    Reason.ARCHIVE_INVALID: Explained(_F, 1, "The archive is damaged, unsafe, or not a runner.", "Delete the object from the cache; check the proxy in between."),
    Reason.RUNNER_DIR_UNUSABLE: Explained(_F, 1, "The runner directory cannot be written, or the disk is full.", "Check `RUNS_FLEET_RUNNER_DIR`, its owner and the volume's size."),
    Reason.TOKEN_EXPIRED: Explained(_F, 1, "GitHub no longer takes the registration token (they live for an hour), or its URL is wrong.", "Mint the token later, or write the runner config sooner after minting it."),
    Reason.REGISTRATION_FAILED: Explained(_F, 1, "`config.sh` did not register the runner.", "Read the `config.sh` lines in the runner stream."),
    Reason.RUNNER_TERMINATED: Explained(_F, 1, "The listener ended with a terminal error before it took a job.", "Read the listener's last lines in the runner stream."),
    Reason.RUNNER_DEPRECATED: Explained(_F, 1, "GitHub no longer gives jobs to this runner version.", "Set `RUNS_FLEET_RUNNER_VERSION` to a newer version and refresh the image."),
    Reason.RUNNER_RESTART_LOOP: Explained(_F, 1, "`run.sh` restarted the listener again and again without a job.", "Read the listener's lines: GitHub unreachable, or a self-update that fails."),
    Reason.SESSION_CONFLICT: Explained(_F, 1, "GitHub says that another session for this runner exists.", "Make runner names unique; never start two runners from one config."),
    Reason.RUNNER_NEVER_LISTENED: Explained(_F, 1, "The runner was started, but never began to listen for jobs.", "Read the listener's lines in the runner stream and `_diag`: the way to GitHub, the proxy, missing libraries."),
    Reason.RUNNER_HUNG: Explained(_S, 0, "The job ended, but the runner did not exit and was killed; the job's result stands.", "Nothing for the job; a newer runner version may mend it."),
    Reason.RUNNER_LOST: Explained(_F, 1, "A job was announced, but the runner ended, or lost its worker, without saying how it ended.", "Look at the job on GitHub; re-run it if it was abandoned."),
    Reason.RUNNER_CRASHED: Explained(_F, 1, "The listener was killed or aborted (out of memory, missing libraries).", "Look for the OOM killer in `oom_kills`; run `installdependencies.sh` when baking the image."),
    Reason.STAGE_TIMEOUT: Explained(_F, 1, "A stage did not end within its limit.", "The message names the stage; look at what it waited for."),
    Reason.AGENT_CRASHED: Explained(_F, 1, "The agent itself failed; the stack trace is in the agent stream.", "Report it with the agent stream; re-run the job."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    reason: Reason
    detail: str = ""
    """One line for a person; empty when the reason says it all."""
    job_result: JobResult = JobResult.NONE
    job_name: str = ""
    exit_code: int = 0
    """`run.sh`'s own exit status; -1 when it never ran or had to be killed. It says nothing about the job."""

    @property
    def status(self) -> Status:
        return EXPLAINED[self.reason].status

    @property
    def exit_status(self) -> int:
        """What `runs-fleet-agent run` exits with (contract section 1)."""
        return EXPLAINED[self.reason].exit_status
