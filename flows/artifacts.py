"""What the flow run shows beside the states of its tasks: the download as it goes, the boot's phases, and the report.

All of it beside the work: nothing waits for it but the flow's own end, once the instance is being ended.
"""

import asyncio
import logging
from collections.abc import Awaitable
from datetime import UTC, timedelta
from uuid import UUID

from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)

from agent.events import warning
from agent.stages.context import RunContext
from flows.quiet import pause, quiet

log = logging.getLogger(__name__)

DOWNLOAD, BOOT, REPORT = "download", "boot-phases", "report"
LOOK_SECONDS = 1.0
"""Between two looks at the download; one that is quicker is shown when it is over."""
PATIENCE_SECONDS = 30.0
"""How long a boot may take until it is shown although there is no job yet."""
FINISH_SECONDS = 2.0
"""For all that is still to be shown when the instance is being ended."""
ALMOST = 99.0
"""Per cent: the whole is only there once it is verified and in its place."""


class Artifacts:
    """Those of one flow run; made and used inside it."""

    def __init__(self, run: RunContext, *, look_seconds: float = LOOK_SECONDS) -> None:
        """Shows nothing yet."""
        self._run = run
        self._look_seconds = look_seconds
        self._over = asyncio.Event()
        self._along: asyncio.Task[None] | None = None
        self._download: UUID | None = None

    def begin(self) -> None:
        """From now on the download is shown, then the boot."""
        self._along = asyncio.ensure_future(self._guarded(self._show_along()))

    async def finish(self) -> None:
        """Shows what is missing, and the report, in two seconds at most. Never raises."""
        self._over.set()
        await self._guarded(self._within(FINISH_SECONDS, self._show_the_rest()))

    async def _show_along(self) -> None:
        run, over = self._run, self._over
        while run.progress.placed is None and not over.is_set():
            await pause(over, self._look_seconds)
            if self._is_coming():
                await self._show_download()
        await quiet(run, PATIENCE_SECONDS, over)
        await self._show_download()
        while run.progress.runner_started is None and not over.is_set():
            await pause(over, self._look_seconds)
        await quiet(run, PATIENCE_SECONDS, over)
        await self._show_boot()

    async def _show_the_rest(self) -> None:
        if self._along is not None:
            await asyncio.wait({self._along})
        await self._show_report()

    async def _show_download(self) -> None:
        progress, said = self._per_cent(), self._run.redactor.mask(self._said_of_download())
        if self._download is None:
            self._download = await acreate_progress_artifact(progress, DOWNLOAD, said)
        else:
            await aupdate_progress_artifact(self._download, progress, said)

    def _is_coming(self) -> bool:
        return self._run.progress.placed is None and self._run.transfer.got > 0

    def _per_cent(self) -> float:
        transfer = self._run.transfer
        if self._run.progress.placed is not None:
            return 100.0
        return min(ALMOST, 100.0 * transfer.got / transfer.of) if transfer.of else 0.0

    def _said_of_download(self) -> str:
        from agent.report.plain import clock_time, duration, moment, size

        run, placed = self._run, self._run.progress.placed
        if placed is None:
            of = f" of {size(run.transfer.of)}" if run.transfer.of else ""
            return f"{size(run.transfer.got)}{of} so far"
        if not placed.archive_bytes:
            return f"runner {placed.version} was on the disk already: nothing was downloaded"
        source = {"cache": "the S3 cache", "github": "GitHub"}.get(placed.source, placed.source)
        ended = moment(placed.at).astimezone(UTC)
        began = ended - timedelta(seconds=placed.seconds)
        return (
            f"runner {placed.version} from {source}: {size(placed.archive_bytes)}, in its place and verified "
            f"from {clock_time(began)} to {clock_time(ended)} UTC ({duration(placed.seconds)}); SHA-256 {placed.sha256}"
        )

    async def _show_boot(self) -> None:
        from agent.report.figures import phases

        rows = [
            {"phase": each.what, "seconds": round(each.seconds, 3), "meaning": each.meaning}
            for each in phases(self._run.progress)
        ]
        if rows:
            await acreate_table_artifact(rows, BOOT, "What the boot was made of")

    async def _show_report(self) -> None:
        text = await asyncio.to_thread(self._report)
        if text:
            await acreate_markdown_artifact(text, REPORT, "What this run did, and why it ended")

    def _report(self) -> str:
        from agent.report.evidence import of_machine
        from agent.report.markdown import markdown
        from agent.report.tell import tell

        story = tell(of_machine(self._run.settings.state_dir))
        return self._run.redactor.mask(markdown(story)) if story else ""

    async def _within(self, seconds: float, showing: Awaitable[None]) -> None:
        async with asyncio.timeout(seconds):
            await showing

    async def _guarded(self, showing: Awaitable[None]) -> None:
        try:
            await showing
        except Exception as exc:  # noqa: BLE001 - the run does without
            warning(log, "artifact.not_shown", error=repr(exc))
