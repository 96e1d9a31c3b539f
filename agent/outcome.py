"""How a run ended, in words from closed lists.

A new word has a price: whoever receives the final message may have rules for each `reason`, so a new one needs its line in
`EXPLAINED`, in the table of docs/outcomes.md (generated from it) and in the release notes. Never rename one.
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
    Reason.JOB_SERVED: Explained(_S, 0, "The runner took a job and ended in order, whatever the job's result.", "Nothing; how the job itself fared is in `job_result`."),
    Reason.NO_JOB: Explained(_F, 0, "The runner listened, but GitHub gave it no job within `RUNS_FLEET_JOB_WAIT_MINUTES`.", "Compare `labels` of the runner config with the job's `runs-on`; they may agree, and the job was cancelled or another runner took it."),
    Reason.JOB_NEVER_STARTED: Explained(_F, 1, "GitHub assigned a job to the runner, and the runner's listener never began it.", "Re-run the job; if it happens again, set `RUNS_FLEET_RUNNER_VERSION` to a newer version."),
    Reason.NO_CONFIG: Explained(_F, 0, "No runner config appeared in SSM before the standby deadline.", "Nothing if this was a spare that nobody needed; else see why the orchestrator did not write the SSM parameter `{prefix}/{instance_id}/config`."),
    Reason.STOP_SIGNAL: Explained(_I, 0, "The agent was told to stop (SIGTERM or SIGINT): somebody stopped the service or shut the machine down.", "See who stopped it, in `journalctl -u runs-fleet-agent` and CloudTrail; re-run the job."),
    Reason.SPOT_NOTICE: Explained(_I, 0, "EC2 announced that it takes the spot instance back.", "Re-run the job; use on-demand instances where this happens too often."),
    Reason.REBALANCE: Explained(_I, 0, "EC2 recommended to leave the spot instance, and `RUNS_FLEET_STOP_ON_REBALANCE` is set.", "Re-run the job; unset `RUNS_FLEET_STOP_ON_REBALANCE` if it happens too often, as most recommendations are followed by no notice."),
    Reason.MAX_RUNTIME: Explained(_T, 0, "The runner ran longer than `RUNS_FLEET_MAX_RUNTIME_MINUTES` and was stopped.", "Read the last lines of the runner stream to see where the job hung; raise `RUNS_FLEET_MAX_RUNTIME_MINUTES` only if it is meant to be that long."),
    Reason.DISK_FULL: Explained(_F, 0, "Less than `RUNS_FLEET_DISK_MIN_FREE_MB` were free, and the job was stopped before the disk was full.", "Give the launch template a larger volume, or let the job clean up after itself."),
    Reason.SETTINGS_INVALID: Explained(_F, 2, "An environment variable has a value that cannot be used, or the machine lacks what a setting names.", "Mend the variable that the message names in /etc/runs-fleet/agent.env, which the launch template's user data writes."),
    Reason.CONFIG_INVALID: Explained(_F, 1, "The runner config or credential in SSM cannot be used.", "Mend what the message names in the orchestrator that writes the parameter."),
    Reason.AWS_REFUSED: Explained(_F, 1, "AWS refused a call: a permission, the credentials, or a queue, bucket or region that does not exist.", "Give the instance role the permission that the message names, or mend the name; `runs-fleet-agent doctor` checks each of them."),
    Reason.AWS_UNAVAILABLE: Explained(_F, 1, "AWS could not be reached, or went on failing through all retries.", "Check the subnet's route or VPC endpoint for the service that the message names, then AWS's status page."),
    Reason.RELEASE_NOT_FOUND: Explained(_F, 1, "GitHub has no such runner version, or no archive of it for this machine.", "Set `RUNS_FLEET_RUNNER_VERSION` to one from https://github.com/actions/runner/releases."),
    Reason.DOWNLOAD_FAILED: Explained(_F, 1, "The runner's archive could be downloaded neither from the cache nor from GitHub.", "Check the subnet's way to GitHub and the rate limit that the message may name; a filled S3 cache needs neither."),
    Reason.DIGEST_MISMATCH: Explained(_F, 1, "The archive's SHA-256 is not the published one, from either source; nothing of it was executed.", "Treat it as an attack until shown otherwise: check `RUNS_FLEET_RUNNER_SHA256`, the proxy, and who may write to the cache bucket."),
    Reason.ARCHIVE_INVALID: Explained(_F, 1, "The runner's archive is damaged, unsafe, or no runner; nothing of it was executed.", "Launch again, since a damaged download mends itself; if it happens again, delete the archive from the cache bucket and check the proxy in between."),
    Reason.RUNNER_DIR_UNUSABLE: Explained(_F, 1, "The runner directory cannot be written, or the disk is full.", "Check `RUNS_FLEET_RUNNER_DIR`: its owner, its permissions and the volume's size."),
    Reason.TOKEN_EXPIRED: Explained(_F, 1, "GitHub does not take the registration token: it is over an hour old, or `org` or `repo` is wrong.", "Mint the token right before the runner config is written; check `org` and `repo` in it."),
    Reason.REGISTRATION_FAILED: Explained(_F, 1, "GitHub's `config.sh` did not register the runner.", "Read what `config.sh` printed, in the runner stream."),
    Reason.RUNNER_TERMINATED: Explained(_F, 1, "The runner ended by itself before it took a job.", "Read its last lines in the runner stream; the registration may have been deleted at GitHub."),
    Reason.RUNNER_DEPRECATED: Explained(_F, 1, "GitHub gives no jobs to this runner version any more.", "Set `RUNS_FLEET_RUNNER_VERSION` to `latest` or a newer version, and refresh an image that has the runner on it."),
    Reason.RUNNER_RESTART_LOOP: Explained(_F, 1, "The runner's listener was started again and again and never took a job.", "Read its lines in the runner stream: GitHub cannot be reached, or its update of itself fails."),
    Reason.SESSION_CONFLICT: Explained(_F, 1, "GitHub says that a runner of this name is connected already.", "Give each instance a `runner_name` of its own, and never one runner config to two instances."),
    Reason.RUNNER_NEVER_LISTENED: Explained(_F, 1, "The runner was started, but never began to listen for jobs.", "Read its lines and `_diag` in the runner stream: the way to GitHub, the proxy, missing libraries."),
    Reason.RUNNER_HUNG: Explained(_S, 0, "The job ended, but the runner did not exit and was killed; the job's result stands.", "Nothing for the job; if it happens again, set `RUNS_FLEET_RUNNER_VERSION` to a newer version."),
    Reason.RUNNER_LOST: Explained(_F, 1, "A job was announced, but the runner ended, or lost the process that ran the job, without saying how it ended.", "Look at the job on GitHub and re-run it if it was abandoned; `oom_kills` of the message says whether the memory ran out."),
    Reason.RUNNER_CRASHED: Explained(_F, 1, "The runner's listener was killed or aborted before it took a job.", "See in `oom_kills` of the message whether the memory ran out; run `bin/installdependencies.sh` when baking the image if libraries are missing."),
    Reason.STAGE_TIMEOUT: Explained(_F, 1, "A stage of the agent's did not end within its limit.", "See in the agent stream what the stage that the message names waited for; launch again."),
    Reason.AGENT_CRASHED: Explained(_F, 1, "The agent itself failed.", "Report it with the stack trace from the agent stream; re-run the job."),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    reason: Reason
    detail: str = ""
    """What happened and where, one line for a person; empty when the reason says it all."""
    mend: str = ""
    """What to do in this very case; empty where the reason's own advice says it."""
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

    @property
    def next_step(self) -> str:
        """What the person on call does: this case's own mend, else the reason's; empty when there is nothing to do."""
        if self.reason is Reason.JOB_SERVED:
            return ""
        advice = EXPLAINED[self.reason].what_to_do.removesuffix(".")
        return self.mend or advice[:1].lower() + advice[1:]

    @property
    def sentence(self) -> str:
        """What happened, and what to do about it, in one line; empty for a job that was served."""
        said = self.detail or ("" if self.reason is Reason.JOB_SERVED else self.reason.value)
        return "; ".join(part for part in (said, self.next_step) if part)
