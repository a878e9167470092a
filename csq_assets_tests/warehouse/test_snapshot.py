"""The snapshot that readers stay connected to."""

from pathlib import Path

import duckdb
import pytest

from csq_assets.errors import StorageError
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.snapshot import publish_snapshot as publish
from csq_assets_tests.warehouse.deliveries import Platform, delivered, relations


def publish_snapshot(path: Path, snapshot: Path) -> int:
    with open_warehouse(path) as connection:
        return publish(connection, path, snapshot)


def test_a_reader_stays_connected_while_the_next_snapshot_comes(tmp_path: Path) -> None:
    path, snapshot = tmp_path / "warehouse.duckdb", tmp_path / "shared" / "snapshot.duckdb"
    with open_warehouse(path) as connection:
        platform = Platform(connection)
        platform.deliver(12, notes=delivered("text", ("old",))).sync()
    assert publish_snapshot(path, snapshot) == snapshot.stat().st_size
    with duckdb.connect(str(snapshot), read_only=True) as reader:
        with open_warehouse(path) as connection:
            platform.connection = connection
            platform.deliver(13, notes=delivered("text", ("new",))).sync()
            expected = relations(connection)
        publish_snapshot(path, snapshot)
        assert reader.execute("FROM csq.notes").fetchall() == [("old", 12)]
    with duckdb.connect(str(snapshot), read_only=True) as reader:
        assert relations(reader) == expected
        assert reader.execute("SELECT count(*) FROM csq.all_events").fetchall() == [(0,)]
    assert [entry.name for entry in snapshot.parent.iterdir()] == ["snapshot.duckdb"]


def test_where_it_cannot_be_written_the_earlier_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    (tmp_path / "file").write_text("")
    with open_warehouse(path):
        pass
    with pytest.raises(StorageError, match="the snapshot could not be written") as raised:
        publish_snapshot(path, tmp_path / "file" / "snapshot.duckdb")
    assert "CSQ_DUCKDB_SNAPSHOT_PATH" in raised.value.remedy
    occupied = tmp_path / "folder"
    (occupied / "inside").mkdir(parents=True)
    with pytest.raises(StorageError, match="the snapshot could not be written"):
        publish_snapshot(path, occupied)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        "file",
        "folder",
        "warehouse.duckdb",
    ]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    path, shared = tmp_path / "warehouse.duckdb", tmp_path / "shared"
    shared.mkdir()
    for name in (".snapshot.duckdb.123", ".snapshot.duckdb.mine", "snapshot.duckdb.123"):
        (shared / name).write_text("half a copy")
    publish_snapshot(path, shared / "snapshot.duckdb")
    assert sorted(entry.name for entry in shared.iterdir()) == [
        ".snapshot.duckdb.mine",
        "snapshot.duckdb",
        "snapshot.duckdb.123",
    ]


def test_a_copy_that_fails_is_told(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with open_warehouse(path):
        pass
    with pytest.raises(StorageError, match=r"could not be written: .*name too long"):
        publish_snapshot(path, tmp_path / ("x" * 255))
