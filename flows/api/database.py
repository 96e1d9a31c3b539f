"""The database of our own API: its tables are loaded from `prefect.sql`, because migrating an empty one takes Prefect 6 s.

`python -m flows.api.database` writes `prefect.sql` anew, by Prefect's own migrations.
"""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

TABLES = Path(__file__).with_name("prefect.sql")
NAME = "prefect.db"
_MIGRATE = (
    "import asyncio; from prefect.server.database import provide_database_interface as database;"
    "asyncio.run(database().create_db())"
)


def prepare(home: Path) -> bool:
    """Puts the tables where there is no database yet.

    Returns:
        whether Prefect must still migrate: what is there is of another Prefect, or cannot be read, which Prefect will say better.
    """
    database = home / NAME
    try:
        if not database.exists():
            home.mkdir(parents=True, exist_ok=True)
            load(database)
        return revision(database) != wanted_revision()
    except (OSError, sqlite3.Error):
        return True


def load(database: Path) -> None:
    """Makes the database, whole or not at all.

    Raises:
        OSError: it cannot be written there.
        sqlite3.Error: neither.
    """
    being_made = database.with_name(f"{database.name}.{os.getpid()}")
    try:
        with closing(sqlite3.connect(being_made)) as connection:
            # Nothing to keep on a power failure, and the rename makes it whole.
            connection.executescript("PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY;")
            connection.executescript(TABLES.read_text("utf-8"))
        being_made.replace(database)
    finally:
        with suppress(OSError):
            being_made.unlink()


def revision(database: Path) -> str:
    """The last migration that the database has seen; empty where it has none.

    Raises:
        sqlite3.Error: it is no database, or not Prefect's.
    """
    with closing(sqlite3.connect(database)) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else ""


def wanted_revision() -> str:
    """As the first line of `prefect.sql` says."""
    with TABLES.open(encoding="utf-8") as file:
        return file.readline().split()[-1]


def dump(database: Path) -> str:
    """The database as SQL, with its revision in the first line."""
    with closing(sqlite3.connect(database)) as connection:
        statements = "\n".join(connection.iterdump())
    return f"-- Prefect's tables at revision {revision(database)}\n{statements}\n"


def migrated(home: Path) -> Path:
    """A database made by Prefect's own migrations."""
    environment = {**os.environ, "PREFECT_HOME": str(home)}
    subprocess.run([sys.executable, "-c", _MIGRATE], env=environment, check=True, timeout=120)
    return home / NAME


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        TABLES.write_text(dump(migrated(Path(folder))), "utf-8")
