"""The DuckDB file, copied without what it has freed."""

import shutil
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from csq_assets.errors import BusyError, StorageError
from csq_assets.warehouse.compaction import compact, compact_if_due
from csq_assets.warehouse.connection import open_warehouse

MADE = """
CREATE TABLE csq_rows."Sign-Up" AS SELECT range AS user_id, 'secret' || range AS text FROM range(50000);
CREATE VIEW csq."Sign-Up" AS SELECT * FROM csq_rows."Sign-Up";
CREATE SCHEMA mine;
CREATE SEQUENCE mine.numbers START 7;
CREATE TYPE mine.mood AS ENUM ('calm', 'not');
CREATE TABLE mine.notes (id BIGINT PRIMARY KEY DEFAULT nextval('mine.numbers'), mood mine.mood);
CREATE INDEX by_mood ON mine.notes (mood);
INSERT INTO mine.notes (mood) VALUES ('calm'), ('not');
CREATE VIEW mine.people AS SELECT user_id FROM warehouse.csq."Sign-Up";
CREATE MACRO mine.double(a) AS a * 2;
CREATE TABLE mine.gone AS SELECT 'secret12345' AS text;
COMMENT ON TABLE mine.notes IS 'what we heard';
"""


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path) as connection:
        connection.execute(MADE)
        connection.execute("CHECKPOINT")
        connection.execute('DELETE FROM csq_rows."Sign-Up" WHERE user_id > 9')
        connection.execute("DROP TABLE mine.gone")
        connection.execute("DELETE FROM mine.notes WHERE mood = 'not'")
    return path


def test_all_is_kept_but_what_was_deleted(warehouse: Path) -> None:
    (warehouse.parent / "warehouse.duckdb.tmp").mkdir()
    (warehouse.parent / "warehouse.duckdb.tmp" / "spilled").write_text("secret12345")
    (warehouse.parent / ".warehouse.duckdb.compacted").write_text("of a killed process")
    assert b"secret12345" in warehouse.read_bytes()
    assert compact(warehouse) > 0
    assert b"secret12345" not in warehouse.read_bytes()
    assert [path.name for path in warehouse.parent.iterdir()] == ["warehouse.duckdb"]
    with open_warehouse(warehouse) as connection:
        connection.execute("INSERT INTO mine.notes (mood) VALUES ('not')")
        notes = connection.execute("FROM mine.notes").fetchall()
        people = connection.execute("SELECT list(user_id ORDER BY user_id) FROM mine.people")
        assert (notes, people.fetchall()) == ([(7, "calm"), (9, "not")], [([*range(10)],)])
        assert connection.execute("SELECT mine.double(4)").fetchall() == [(8,)]
        about = connection.execute(
            "SELECT comment, index_count FROM duckdb_tables() WHERE table_name = 'notes'"
        )
        assert about.fetchall() == [("what we heard", 2)]


@contextmanager
def reader_of(path: Path) -> Iterator[None]:
    """Another process that reads the file."""
    reads = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print(flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", f"{reads}; input()", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        reader.stdout.readline()
        yield
        reader.stdin.close()


def identity(path: Path) -> tuple[int, int]:
    return path.stat().st_ino, path.stat().st_size


def test_nobody_else_has_the_file_meanwhile(warehouse: Path) -> None:
    before = identity(warehouse)
    with reader_of(warehouse), pytest.raises(BusyError):
        compact(warehouse, wait_seconds=0)
    assert identity(warehouse) == before


def test_a_file_that_cannot_be_copied_stays(warehouse: Path) -> None:
    (warehouse.parent / ".warehouse.duckdb.compacted").mkdir()  # nothing can be written there
    before = warehouse.read_bytes()
    with pytest.raises(StorageError) as raised:
        compact(warehouse)
    assert warehouse.read_bytes() == before
    assert raised.value.where == {"file": str(warehouse)}


@pytest.fixture
def grown(tmp_path: Path) -> Path:
    """A file that is large enough to be looked at, and half of it free."""
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path) as connection:
        made = "AS SELECT hash(range) AS text FROM range(9_000_000)"
        connection.execute(f"CREATE TABLE csq_rows.old {made}; CREATE TABLE csq_rows.new {made}")
        connection.execute("DROP TABLE csq_rows.old")
    return path


def test_a_file_is_compacted_once_when_a_sixth_is_free(grown: Path) -> None:
    size = grown.stat().st_size
    freed = compact_if_due(grown)
    assert freed > size * 0.4
    assert grown.stat().st_size == size - freed
    with open_warehouse(grown, read_only=True) as connection:
        rows = connection.execute("SELECT count(DISTINCT text) FROM csq_rows.new").fetchall()
        assert rows == [(9_000_000,)]
    before = identity(grown)
    assert compact_if_due(grown) == 0
    assert identity(grown) == before


def test_a_small_file_and_one_that_is_not_there_are_left_alone(warehouse: Path) -> None:
    before = identity(warehouse)
    assert compact_if_due(warehouse) == 0
    assert identity(warehouse) == before
    missing = warehouse.with_name("missing.duckdb")
    assert compact_if_due(missing) == 0
    assert not missing.exists()


def test_a_file_that_somebody_reads_waits_for_another_time(grown: Path) -> None:
    before = identity(grown)
    with reader_of(grown):
        assert compact_if_due(grown) == 0
    assert identity(grown) == before
    assert [path.name for path in grown.parent.iterdir()] == [grown.name]


def test_a_disk_without_room_is_nothing_wrong(grown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024
    before = identity(grown)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(2**40, 2**40 - 2**20, 2**20))
    grown.with_name(f".{grown.name}.compacted").write_text("of a killed process")
    assert compact_if_due(grown) == 0
    assert identity(grown) == before
    assert [path.name for path in grown.parent.iterdir()] == [grown.name]
