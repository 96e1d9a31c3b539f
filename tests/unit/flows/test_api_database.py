"""The database of the flow's own API: its tables without migrations."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from flows.api.database import (  # fmt: skip
    NAME,
    TABLES,
    dump,
    load,
    migrated,
    prepare,
    revision,
    wanted_revision,
)


def parts(sql: str) -> list[str]:
    """Columns and constraints in no order: that of constraints in Prefect's migrations is a set's."""
    return sorted(part.strip(" \t)(;") for part in re.split(r"[,\n]", sql))


def test_the_tables_are_the_ones_that_prefect_s_own_migrations_make(tmp_path: Path) -> None:
    """Where this fails after Prefect was changed: `python -m flows.api.database` writes them anew."""
    assert parts(dump(migrated(tmp_path))) == parts(TABLES.read_text())


def test_a_home_without_a_database_gets_one_that_needs_no_migration(tmp_path: Path) -> None:
    home = tmp_path / "new" / "prefect"
    assert not prepare(home)
    assert revision(home / NAME) == wanted_revision()
    assert [path.name for path in home.iterdir()] == [NAME]


def test_a_database_that_is_there_keeps_what_is_in_it(tmp_path: Path) -> None:
    load(tmp_path / NAME)
    with closing(sqlite3.connect(tmp_path / NAME)) as database, database:
        database.execute("INSERT INTO flow (name) VALUES ('kept')")
    assert not prepare(tmp_path)
    with closing(sqlite3.connect(tmp_path / NAME)) as database:
        assert database.execute("SELECT name FROM flow").fetchall() == [("kept",)]


def test_a_database_of_another_prefect_is_left_to_its_migrations(tmp_path: Path) -> None:
    load(tmp_path / NAME)
    with closing(sqlite3.connect(tmp_path / NAME)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'older'")
    assert prepare(tmp_path)


def test_what_is_no_database_is_left_to_prefect_to_complain_of(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"this was a database once" * 1000)
    assert prepare(tmp_path)


def test_a_home_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    assert prepare(tmp_path / "home")
