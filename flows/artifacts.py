"""What the flow run shows beside the states of its tasks."""

from datetime import UTC, timedelta

from prefect.artifacts import acreate_table_artifact

from agent.stages.context import RunContext
from agent.stages.download import StagedRunner


async def show_download(run: RunContext, staged: StagedRunner) -> None:
    """Says where the runner came from and when: the download may have begun, and ended, before its task did."""
    began = run.clock.utc() - timedelta(seconds=run.clock.monotonic() - staged.began)
    ended = began + timedelta(seconds=staged.seconds)
    await acreate_table_artifact(
        table=[
            {
                "source": staged.source.value,
                "version": staged.release.version,
                "sha256": staged.sha256,
                "bytes": staged.archive_bytes,
                "began": began.astimezone(UTC).isoformat(),
                "ended": ended.astimezone(UTC).isoformat(),
                "seconds": round(staged.seconds, 3),
            }
        ],
        key="runner-download",
        description="The runner of this instance",
    )
