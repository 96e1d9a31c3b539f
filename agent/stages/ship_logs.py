"""Sends what has been said so far to CloudWatch, and `_diag` to S3 where it is wanted, within a time limit."""

import logging
import threading

from agent.deadline import Deadline
from agent.events import event, warning
from agent.held import Folder
from agent.journal.facts import LogsFlushed
from agent.logs.diag_upload import DiagUpload, Upload, key_prefix
from agent.logs.shipper import Flushed
from agent.stages.context import RunContext
from agent.stages.metrics import say_metrics

log = logging.getLogger(__name__)


def ship_logs(run: RunContext, *, deadline: Deadline) -> bool:
    """Flushes every stream to its last line; true when CloudWatch has it all. What it would not take stays in the spool."""
    if run.progress.logs_flushed is not None:
        return run.progress.logs_flushed.complete
    run.shipper.start()
    upload = _DiagBeside(run, deadline)
    flushed = run.shipper.flush(deadline, final=True)
    fact = _fact(run, flushed, upload.result())
    run.journal.add(fact)
    event(
        log,
        "logs.shipped" if fact.complete else "logs.left_in_the_spool",
        level=logging.INFO if fact.complete else logging.WARNING,
        lines=None if fact.complete else fact.unsent_lines,
        where=None if fact.complete else run.spool.agent.parent,
        upload=fact.upload,
        runner_lines=fact.runner_lines,
        runner_bytes=fact.runner_bytes,
        dropped_bytes=fact.dropped_bytes,
    )
    say_metrics(run, flushed)
    return flushed.complete


def _fact(run: RunContext, flushed: Flushed, upload: Upload) -> LogsFlushed:
    stream = run.runner_stream or ""
    return LogsFlushed(
        run.journal.now(),
        complete=flushed.complete,
        upload=upload,
        runner_lines=flushed.sent_lines.get(stream, 0) if run.is_new else None,
        runner_bytes=sum(s.offset for s in run.progress.shipped if s.stream == stream),
        unsent_lines=flushed.unsent_lines,
        dropped_bytes=flushed.dropped_bytes,
    )


class _DiagBeside:
    """Uploads `_diag` in a thread of its own, which is left behind when it hangs."""

    def __init__(self, run: RunContext, deadline: Deadline) -> None:
        self._run = run
        self._deadline = deadline
        self._done = threading.Event()
        self._result: Upload = "failed"
        config = run.progress.config
        self._bucket = config.logs_bucket if config else ""
        self._prefix = key_prefix(config.logs_prefix, config.run_id, run.instance_id) if config else ""  # fmt: skip
        if self._bucket:
            threading.Thread(target=self._upload, name="diag upload", daemon=True).start()

    def result(self) -> Upload:
        """Waits for it until the deadline."""
        if not self._bucket:
            return "disabled"
        if not self._deadline.clock.wait(self._done, self._deadline.remaining()):
            warning(log, "diag.not_in_time", bucket=self._bucket)
        return self._result

    def _upload(self) -> None:
        run = self._run
        try:
            client = run.clients.get("s3")
            to = DiagUpload(client, self._bucket, self._prefix, mask=run.redactor.mask_bytes)
            self._result = to.upload(
                Folder.of_the_runner(run.settings.runner_dir, "_diag"), self._deadline
            )
        except Exception as exc:  # noqa: BLE001 - whatever it is, the end goes on
            warning(log, "diag.failed", error=exc)
        self._done.set()
