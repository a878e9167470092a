"""One writer at a time, nothing half done, and messages that say what to do."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from duckdb import DuckDBPyConnection

from csq_assets.errors import StorageError
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.engine import quote, quote_text, transaction
from csq_assets_tests.warehouse.deliveries import Platform, delivered, relation

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
        with pytest.raises(StorageError, match="DuckDB could not finish"):
            create_huge_table(connection)
        assert connection.execute("FROM duckdb_tables() WHERE table_name = 'huge'").fetchall() == []


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
