"""Files that appear, grow and vanish are seen at once, without looking again and again."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.held import Folder
from agent.logs.file_notices import FileNotices
from agent.logs.source import MAX_FILES
from tests.fakes_shipper import RUNNER, Bench, say, soon

SECONDS = 20.0
NEVER = 3600.0


class Heard:
    def __init__(self) -> None:
        self.appeared, self.grown = threading.Event(), threading.Event()
        self.notices = FileNotices(self.appeared.set, self.grown.set)


@pytest.fixture
def heard() -> Iterator[Heard]:
    heard = Heard()
    heard.notices.start()
    yield heard
    heard.notices.close()


def test_a_file_that_appears_and_one_that_grows_are_noticed(heard: Heard, tmp_path: Path) -> None:
    heard.notices.watch(tmp_path)
    say(tmp_path / "a", "one\n")
    assert heard.appeared.wait(SECONDS)
    assert heard.grown.wait(SECONDS)


def test_a_directory_may_appear_later_with_all_that_is_above_it(
    heard: Heard, tmp_path: Path
) -> None:
    heard.notices.watch(tmp_path / "_diag" / "pages")
    for folder in (tmp_path / "_diag", tmp_path / "_diag" / "pages"):
        heard.appeared.clear()
        folder.mkdir()
        assert heard.appeared.wait(SECONDS)
    heard.grown.clear()
    say(tmp_path / "_diag" / "pages" / "1.log", "one\n")
    assert heard.grown.wait(SECONDS)


def test_a_symlink_in_the_place_of_a_directory_is_not_followed(
    heard: Heard, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "_diag").symlink_to(elsewhere)
    heard.notices.watch(tmp_path / "_diag")
    say(elsewhere / "a", "one\n")
    assert not heard.grown.wait(0.3)


def test_closing_twice_or_before_a_start_is_harmless() -> None:
    heard = Heard()
    heard.notices.close()
    heard.notices.start()
    heard.notices.close()
    heard.notices.close()


@pytest.fixture
def woken(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench whose shippers never look by themselves."""
    shipper = bench.shipper(flush_seconds=0.05, poll_seconds=NEVER)
    shipper.start()
    return bench


def test_a_line_is_sent_although_nobody_looks_again(woken: Bench) -> None:
    (shipper,) = woken.shippers
    shipper.follow(woken.file, RUNNER)
    say(woken.file, "first\n")
    assert woken.client.wait_for(RUNNER, 1) == ["first"]
    say(woken.file, "second\n")
    assert woken.client.wait_for(RUNNER, 2) == ["first", "second"]


def test_a_page_that_is_deleted_right_after_it_was_written_is_sent(
    woken: Bench, tmp_path: Path
) -> None:
    (shipper,) = woken.shippers
    pages = tmp_path / "_diag" / "pages"
    shipper.follow_directory(
        Folder.at(pages), "*.log", RUNNER, prefix=lambda path: f"[{path.name}] "
    )
    pages.mkdir(parents=True)
    say(pages / "0.log", "before\n")
    woken.client.wait_for(RUNNER, 1)
    for number in range(1, MAX_FILES + 20):
        page = pages / f"{number}.log"
        opened = page.open("w")
        opened.write(f"page {number} without an end")
        opened.flush()
        woken.wait_until_open(page)
        page.unlink()
        opened.close()
    assert shipper.flush(soon(), final=True).complete
    found = sorted(woken.client.streams[RUNNER][1:], key=lambda line: int(line.split(".")[0][1:]))
    assert found == [f"[{n}.log] page {n} without an end" for n in range(1, MAX_FILES + 20)]


def test_a_path_that_appears_while_it_is_looked_for_is_not_missed(
    woken: Bench, tmp_path: Path
) -> None:
    (shipper,) = woken.shippers
    for number in range(100):
        pages = tmp_path / str(number) / "_diag" / "pages"
        making = threading.Thread(target=pages.mkdir, kwargs={"parents": True})
        making.start()
        shipper.follow_directory(Folder.at(pages), "*.log", RUNNER, prefix=lambda _: "")
        making.join()
        say(pages / "1.log", f"{number}\n")
        assert woken.client.wait_for(RUNNER, number + 1)[-1] == str(number)
