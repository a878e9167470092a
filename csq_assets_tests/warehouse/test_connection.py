"""One writer at a time, nothing half done, and messages that say what to do."""

import os
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from duckdb import DuckDBPyConnection

from csq_assets.errors import StorageError
from csq_assets.warehouse.applied_state import adopt_lake, lake_identity
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.engine import quote, quote_text, transaction
from csq_assets.warehouse.partition_files import DumpContent
from csq_assets.warehouse.staleness import Applied, read_applied
from csq_assets_tests.warehouse.deliveries import Platform, content, delivered, refresh, relation

HOLD = """
import sys
from csq_assets.warehouse.connection import open_warehouse
with open_warehouse(sys.argv[1]) as connection:
    print("held", flush=True)
    sys.stdin.readline()
"""
# Applies the same ten dumps, each in a connection of its own.
APPLY = """
import sys
from csq_assets.warehouse.connection import open_warehouse
from csq_assets_tests.warehouse.deliveries import Platform, delivered
platform = Platform(None)
for dump_id in range(10):
    rows = [(1, event, f"/{dump_id}") for event in range(dump_id, 20)]
    platform.deliver(dump_id, pageviews=delivered("user_id event_id path", *rows))
    with open_warehouse(sys.argv[1]) as connection:
        platform.connection = connection
        platform.sync()
"""
# Applies dump 12, then dies while dump 13 is in the middle of being applied.
DIE = """
import os, signal, sys
from csq_assets.warehouse.connection import open_warehouse
from csq_assets_tests.warehouse.deliveries import Platform, delivered
with open_warehouse(sys.argv[1]) as connection:
    platform = Platform(connection)
    rows = [(user, user, "/12") for user in range(1000)]
    platform.deliver(12, pageviews=delivered("user_id event_id path", *rows)).sync()
    rows = [(user, user, "/13") for user in range(1000)]
    platform.deliver(13, pageviews=delivered("user_id event_id path", *rows))
    sys.setprofile(
        lambda frame, event, _: os.kill(os.getpid(), signal.SIGKILL)
        if event == "call" and frame.f_code.co_name == sys.argv[2] else None
    )
    platform.sync()
"""


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the file until it is told, or ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_file_that_another_process_holds_is_waited_for_and_then_named(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with (
        held_elsewhere(path) as holder,
        pytest.raises(StorageError) as raised,
        open_warehouse(path, wait_seconds=0.3),
    ):
        pass
    said = str(raised.value)
    assert said.startswith(f"file {path}: process {holder.pid} (")
    assert "holds the DuckDB file, and kept it for 0.3 seconds" in said
    assert "CSQ_DUCKDB_SNAPSHOT_PATH" in said


def test_a_file_is_taken_as_soon_as_it_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with held_elsewhere(path) as holder:
        assert holder.stdin is not None
        holder.stdin.write("go\n")
        holder.stdin.flush()
        with open_warehouse(path) as connection:
            assert connection.execute("SELECT count(*) FROM csq.all_events").fetchall() == [(0,)]


def test_two_processes_that_apply_the_same_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    command = [sys.executable, "-c", APPLY, str(path)]
    both = [subprocess.Popen(command), subprocess.Popen(command)]
    assert [process.wait() for process in both] == [0, 0]
    with open_warehouse(path) as connection:
        found = Platform(connection).rows("pageviews")
    assert sorted((row["event_id"], row["path"]) for row in found) == [
        (event, f"/{min(event, 9)}") for event in range(20)
    ]


@pytest.mark.edge(53)
@pytest.mark.parametrize(
    "step", ["read_arriving", "apply_verdict", "append_arriving", "write_state", "record_dumps"]
)
def test_a_process_that_is_killed_leaves_the_table_as_it_was(tmp_path: Path, step: str) -> None:
    path = tmp_path / "warehouse.duckdb"
    killed = subprocess.run([sys.executable, "-c", DIE, str(path), step], check=False)
    assert killed.returncode == -signal.SIGKILL
    with open_warehouse(path) as connection:
        platform = Platform(connection)
        assert {row["path"] for row in platform.rows("pageviews")} == {"/12"}
        assert len(platform.rows("pageviews")) == 1000
        columns = "user_id event_id path"
        platform.deliver(12, pageviews=delivered(columns, (1, 1, "/12")))
        platform.deliver(13, pageviews=delivered(columns, (1, 1, "/13"))).sync()
        assert [row["path"] for row in platform.rows("pageviews")] == ["/13"]


def test_the_schemas_are_there_and_hold_nothing_else(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "new" / "folder" / "warehouse.duckdb") as connection:
        found = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_schema IN ('csq', 'csq_meta') ORDER BY ALL"
        ).fetchall()
        described = connection.execute("DESCRIBE csq_meta.sync_reports").fetchall()
        settings = connection.execute(
            "SELECT current_setting('TimeZone'), current_setting('enable_progress_bar')"
        ).fetchall()
    assert found == [
        ("csq", "all_events"),
        ("csq_meta", "column_types"),
        ("csq_meta", "dumps"),
        ("csq_meta", "property_definitions"),
        ("csq_meta", "sync_reports"),
        ("csq_meta", "user_identity"),
    ]
    assert [column[1] for column in described][1:3] == ["TIMESTAMP", "TIMESTAMP"]
    assert settings == [("UTC", False)]


def test_a_reader_may_open_the_file_and_not_write(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path) as connection:
        Platform(connection).deliver(12, notes=delivered("text", ("a",))).sync()
    with open_warehouse(path, read_only=True) as reader:
        assert list(relation(reader, "notes").rows) == [("a", 12)]
        with pytest.raises(duckdb.InvalidInputException):
            reader.execute("DELETE FROM csq_meta.dumps")


def test_what_is_no_duckdb_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    path.write_text("not a database " * 500)
    with pytest.raises(StorageError, match="not a valid DuckDB") as raised, open_warehouse(path):
        pass
    assert raised.value.where == {"file": str(path)}
    assert "csq rebuild" in raised.value.remedy


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "warehouse.duckdb"
    with pytest.raises(StorageError, match="cannot make the folder") as raised:  # noqa: SIM117
        with open_warehouse(path):
            pass
    assert raised.value.where == {"file": str(path)}


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path) as connection:
        connection.execute("UPDATE csq_ledger.format SET version = 99")
    with pytest.raises(StorageError, match="format 99"), open_warehouse(path):
        pass


def test_memory_is_bounded_and_what_does_not_fit_spills(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path, memory_limit="64MB") as connection:
        settings = connection.execute(
            "SELECT current_setting('memory_limit'), current_setting('temp_directory')"
        ).fetchall()
        query = "SELECT count(*) FROM (SELECT DISTINCT i, i::VARCHAR FROM range(2000000) AS r(i))"
        assert connection.execute(query).fetchall() == [(2_000_000,)]
    assert settings == [("61.0 MiB", f"{path}.tmp")]
    assert not os.path.exists(f"{path}.tmp")  # noqa: PTH110 - the name is not a path of ours


def test_what_does_not_fit_at_all_is_told_and_changes_nothing(tmp_path: Path) -> None:
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        connection.execute("SET memory_limit = '40MB'; SET max_temp_directory_size = '1MB'")
        with pytest.raises(StorageError, match="DuckDB could not finish") as raised:
            create_huge_table(connection)
        assert "Raise CSQ_DUCKDB_MEMORY_LIMIT" in raised.value.remedy
        assert connection.execute("FROM duckdb_tables() WHERE table_name = 'huge'").fetchall() == []


def fill(path: Path) -> Platform:
    """A file of 4 MB, whose connection is closed."""
    with open_warehouse(path) as connection:
        platform = Platform(connection)
        rows = [(event, event, f"/{event * 7919**5}") for event in range(50_000)]
        platform.deliver(12, pageviews=delivered("user_id event_id path", *rows)).sync()
    return platform


def read_all(platform: Platform, path: Path) -> None:
    with open_warehouse(path) as connection:
        platform.connection = connection
        platform.sync()
        connection.execute("SELECT count(DISTINCT path) FROM csq.pageviews").fetchall()


@pytest.mark.parametrize(
    "harm",
    [
        lambda body: body[: len(body) // 2],
        lambda body: body[:5000],
        lambda body: body[:100_000] + bytes(len(body) - 200_000) + body[-100_000:],
        lambda body: body[:8192] + bytes(4096) + body[12288:],
        lambda body: bytes(4096) + body[4096:],
    ],
    ids=["cut", "cut to its header", "blocks of zeros", "a header of zeros", "another kind"],
)
def test_a_damaged_file_is_named_with_the_remedy(
    tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "warehouse.duckdb"
    platform = fill(path)
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(StorageError) as raised:
        read_all(platform, path)
    assert raised.value.where == {"file": str(path)}
    assert raised.value.message.startswith("DuckDB could not finish: ")
    assert raised.value.remedy == (
        "The file is damaged. Move it away and run csq rebuild: it rebuilds everything from the lake."
    )


def refresh_on_full_disk(path: Path, dump: DumpContent, *, limit_bytes: int) -> None:
    """No file may grow beyond so many bytes, until the connection is closed."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with open_warehouse(path) as connection:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
            refresh(connection, "notes", [dump])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("rows", [500, 200_000], ids=["at the commit", "while rows are written"])
def test_a_full_disk_is_told_and_changes_nothing(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path) as connection:
        Platform(connection).deliver(12, notes=delivered("text", ("a",))).sync()
    large = content(13, delivered("text", *[(f"{row * 7919**5}",) for row in range(rows)]))
    with large.parquet() as file, pytest.raises(StorageError) as raised:
        refresh_on_full_disk(
            path, replace(large, parquet=lambda: nullcontext(file)), limit_bytes=1000
        )
    assert "Could not write file" in raised.value.message
    assert raised.value.remedy == (
        "Nothing was changed. Check the disk of the DuckDB file and its space, and try again."
    )
    with open_warehouse(path) as connection:
        assert list(relation(connection, "notes").rows) == [("a", 12)]


def test_a_disk_that_is_full_at_the_close_loses_nothing(tmp_path: Path) -> None:
    """What was committed stays in the write-ahead log until the file has room for it."""
    path = tmp_path / "warehouse.duckdb"
    fill(path)
    rows = [(f"{row * 7919**5}",) for row in range(20_000)]
    with content(13, delivered("text", *rows)).parquet() as file:
        dump = DumpContent(13, "x", lambda: ("text",), lambda: nullcontext(file))
        refresh_on_full_disk(path, dump, limit_bytes=path.stat().st_size)
    assert path.with_name("warehouse.duckdb.wal").exists()
    with open_warehouse(path) as connection:
        assert relation(connection, "notes").rows == Counter((text, 13) for (text,) in rows)


def test_a_mistake_in_our_sql_keeps_its_traceback(tmp_path: Path) -> None:
    with (
        pytest.raises(duckdb.CatalogException),
        open_warehouse(tmp_path / "warehouse.duckdb") as connection,
        transaction(connection),
    ):
        connection.execute("SELECT * FROM nothing_of_this_name")


def create_huge_table(connection: DuckDBPyConnection) -> None:
    with transaction(connection):
        connection.execute("CREATE TABLE huge (i BIGINT, text VARCHAR)")
        connection.execute(
            "INSERT INTO huge SELECT DISTINCT i, hash(i)::VARCHAR FROM range(3000000) AS r(i)"
        )


def test_quoting() -> None:
    with duckdb.connect() as connection:
        name, text = "a \"b\" 'c'", 'it\'s "here"'
        result = connection.execute(f"SELECT {quote_text(text)} AS {quote(name)}")
        assert (result.description or [])[0][0] == name
        assert result.fetchall() == [(text,)]


def test_the_file_remembers_the_lake_that_it_was_filled_from(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path) as connection:
        assert lake_identity(connection) is None
        adopt_lake(connection, "first")
        adopt_lake(connection, "second")
    with open_warehouse(path, read_only=True) as reader:
        assert (lake_identity(reader), read_applied(reader).lake) == ("second", "second")


def test_a_file_that_was_never_written_to_has_nothing_applied(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)):
        pass
    with open_warehouse(path, read_only=True) as reader:
        assert read_applied(reader) == Applied({})
