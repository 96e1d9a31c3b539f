import logging
import stat
from pathlib import Path

import pytest

from agent.logs.spool import Spool


def test_the_folder_is_for_the_agent_alone(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "state")
    assert stat.S_IMODE(spool.directory.stat().st_mode) == 0o700
    assert {spool.agent, spool.config, spool.run} == {
        tmp_path / "state/logs" / name for name in ("agent.log", "config.log", "run.log")
    }


def test_a_folder_that_cannot_be_made_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file")
    with caplog.at_level(logging.WARNING):
        Spool(tmp_path / "state")
    assert caplog.messages[0].startswith("spool.unusable ")
