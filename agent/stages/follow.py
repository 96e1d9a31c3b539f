"""What this run's runner has said, from its first word, and what that makes of the run."""

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace

from agent.held import Folder
from agent.logs.tail import Tail
from agent.outcome import JobResult, Outcome
from agent.runner import files
from agent.runner.hangs import Hang
from agent.runner.result import Conversation, outcome
from agent.runner.says import Said, parse_diag, parse_output
from agent.stages.context import RunContext

MAX_DIAGS = 32
"""Of the listener's logs: it begins one at each start and every 8 MB, long before a job can write any."""
MOST_READS = 2048
"""A MiB each; what goes on writing faster than it is read must not keep the end."""
_INTERRUPTED = (JobResult.NONE, JobResult.UNKNOWN, JobResult.CANCELLED, JobResult.ABANDONED)


@dataclass
class Following:
    """The words of `run.sh` in the spool and of the listener in `_diag`, as far as they have been read.

    Always from the beginning: an agent that was started again learns what the one before it knew.
    """

    output: Tail
    diag: Folder
    conversation: Conversation = field(default_factory=Conversation)
    diags: dict[str, Tail] = field(default_factory=dict)
    listed_ns: int = -1
    """When `_diag` had changed last, the last time that it was listed."""
    settled: bool = False
    """It has been listed twice since: a clock's tick may hide a change right after the first time."""

    @classmethod
    def of(cls, run: RunContext) -> "Following":
        return cls(Tail(run.spool.run), Folder.of_the_runner(run.settings.runner_dir, "_diag"))

    def read(self, *, final: bool = False) -> list[Said]:
        """What is new, folded into the conversation."""
        said = [parse_output(line.text) for line in self.output.read(final=final)]
        self._find_diags()
        for tail in self.diags.values():
            said += [parse_diag(line.text) for line in tail.read(final=final)]
        heard = [each for each in said if each is not None]
        for each in heard:
            self.conversation = self.conversation.then(each)
        return heard

    def _find_diags(self) -> None:
        with suppress(OSError):
            with self.diag.opened() as folder:
                changed_ns = os.fstat(folder).st_mtime_ns
            self._look_into_diag(changed_ns)

    def _look_into_diag(self, changed_ns: int) -> None:
        if changed_ns != self.listed_ns or not self.settled:
            self.settled = changed_ns == self.listed_ns
            self.listed_ns = changed_ns
            for name in self.diag.files("Runner_*.log"):
                if len(self.diags) < MAX_DIAGS:
                    self.diags.setdefault(name, Tail(self.diag.path / name, folder=self.diag))

    def read_to_the_end(self) -> None:
        for _ in range(MOST_READS):
            before = self._offsets()
            self.read()
            if self._offsets() == before:
                break
        self.read(final=True)

    def _offsets(self) -> tuple[int, ...]:
        """How far everything was read; most of what a runner says has no meaning of its own."""
        return tuple(tail.offset for tail in (self.output, *self.diags.values()))


def conclude(
    run: RunContext, following: Following, exit_code: int | None, hang: Hang | None = None
) -> Outcome:
    """How the run ended: by the runner's words, unless it hung or was stopped; then by that, and by the words for the job.

    Args:
        run: the run.
        following: read to its end here.
        exit_code: of `run.sh`; None when it had to be killed, or an earlier life of the agent was its parent.
        hang: why it had to be ended, where it would not end itself.
    """
    following.read_to_the_end()
    left = bool(files.credentials_left(run.settings.runner_dir))
    by_words = outcome(following.conversation, exit_code, files_left=left)
    if hang is not None:
        return replace(by_words, reason=hang.reason, detail=hang.detail)
    request = run.stop.request
    served = by_words.job_result not in _INTERRUPTED
    if request is None or (served and exit_code in (0, None)):
        return by_words
    return Outcome(
        request.reason,
        request.detail,
        job_result=by_words.job_result,
        job_name=by_words.job_name,
        exit_code=-1 if exit_code is None else exit_code,
    )
