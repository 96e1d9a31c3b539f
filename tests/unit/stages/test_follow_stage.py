"""What the runner has said, read by whoever comes late."""

from pathlib import Path

from agent.held import Folder
from agent.logs.tail import Tail
from agent.outcome import JobResult
from agent.stages.follow import Following


def test_the_last_word_is_heard_behind_megabytes_that_mean_nothing(tmp_path: Path) -> None:
    said = tmp_path / "run.log"
    with said.open("w") as file:
        file.write("2026-11-23 07:42:18Z: Running job: build\n")
        file.writelines(f"{'x' * 199}\n" for _ in range(25_000))
        file.write("2026-11-23 07:43:02Z: Job build completed with result: Succeeded\n")
    following = Following(Tail(said), Folder(tmp_path / "_diag"))
    following.read_to_the_end()
    assert following.conversation.job_result is JobResult.SUCCEEDED
