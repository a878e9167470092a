"""Dagster's event log: ours and Dagster's own storage read what the other one writes."""

import logging
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from uuid import uuid4

import pytest
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)

from csq_assets import sqlite_events
from csq_assets.sqlite_events import SqliteEvents
from csq_assets_tests.platform import KEYS, Platform

A_MINUTE = 60
NORMAL = 1  # of SQLite's `synchronous`


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[SqliteEvents]:
    storage = SqliteEvents(str(tmp_path))
    yield storage
    storage.dispose()


@pytest.fixture
def dagsters(ours: SqliteEvents, tmp_path: Path) -> Iterator[SqliteEventLogStorage]:
    """Dagster's own over the same folder, as another process would have it."""
    assert ours
    storage = SqliteEventLogStorage(str(tmp_path))
    yield storage
    storage.dispose()


def said(run_id: str, text: str) -> EventLogEntry:
    return EventLogEntry(None, logging.INFO, text, run_id, timestamp=0.0, dagster_event=None)


def heard(storage: SqliteEventLogStorage, run_id: str) -> list[str]:
    return [entry.user_message for entry in storage.get_logs_for_run(run_id)]


def test_both_write_to_the_same_run(ours: SqliteEvents, dagsters: SqliteEventLogStorage) -> None:
    run_id = str(uuid4())
    for number, storage in enumerate((ours, dagsters, ours, dagsters)):
        storage.store_event(said(run_id, f"{number}"))
    assert heard(ours, run_id) == heard(dagsters, run_id) == ["0", "1", "2", "3"]


def test_a_pass_is_recorded_by_ours_and_read_by_dagsters(platform: Platform) -> None:
    ours = platform.instance.event_log_storage
    assert isinstance(ours, SqliteEvents)
    platform.deliver(12, users=[{"user_id": 1}])
    assert platform.sync().errors == ()
    folder = Path(ours.path_for_shard(INDEX_SHARD_NAME)).parent
    dagsters = SqliteEventLogStorage(str(folder))
    dagsters.register_instance(platform.instance)
    runs = [run.run_id for run in platform.instance.get_runs()]
    assert len(runs) == 2
    for run_id in runs:
        assert dagsters.get_logs_for_run(run_id) == ours.get_logs_for_run(run_id) != []
    assert dagsters.get_materialized_partitions(KEYS.raw("users")) == {"12"}
    assert dagsters.all_asset_keys() == ours.all_asset_keys()


def test_a_file_stays_whole_whatever_happens(ours: SqliteEvents) -> None:
    run_id = str(uuid4())
    for text in ("makes the file", "finds it"):
        ours.store_event(said(run_id, text))
    with ours.run_connection(run_id) as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    assert (mode, synchronous) == ("wal", NORMAL)


def delete_all_and_fail(storage: SqliteEventLogStorage, run_id: str) -> None:
    with storage.run_connection(run_id) as connection:
        connection.exec_driver_sql("DELETE FROM event_logs")
        raise ZeroDivisionError


def test_what_fails_leaves_nothing_behind(
    ours: SqliteEvents, dagsters: SqliteEventLogStorage
) -> None:
    run_id = str(uuid4())
    for text in ("one", "two"):
        ours.store_event(said(run_id, text))
    with pytest.raises(ZeroDivisionError):
        delete_all_and_fail(ours, run_id)
    ours.store_event(said(run_id, "three"))
    assert heard(dagsters, run_id) == heard(ours, run_id) == ["one", "two", "three"]


def test_whoever_follows_a_run_is_told_of_each_event(
    ours: SqliteEvents, dagsters: SqliteEventLogStorage
) -> None:
    run_id = str(uuid4())
    ours.store_event(said(run_id, "makes the file"))
    told: Queue[str] = Queue()
    dagsters.watch(run_id, None, lambda entry, _cursor: told.put(entry.user_message))
    for text in ("one", "two"):
        ours.store_event(said(run_id, text))
        while told.get(timeout=A_MINUTE) != text:
            pass


def test_it_stays_connected_to_one_run_at_a_time(ours: SqliteEvents) -> None:
    runs = [str(uuid4()) for _ in range(5)]
    for _ in range(2):
        for run_id in runs:
            ours.store_event(said(run_id, "once"))
    assert all(heard(ours, run_id) == ["once", "once"] for run_id in runs)
    assert len(ours._kept) <= 2


def test_threads_take_turns(ours: SqliteEvents, dagsters: SqliteEventLogStorage) -> None:
    runs = [str(uuid4()) for _ in range(4)]

    def tell(run_id: str) -> None:
        for number in range(25):
            ours.store_event(said(run_id, f"{number}"))
            assert heard(ours, run_id)[-1] == f"{number}"

    with ThreadPoolExecutor(len(runs)) as threads:
        list(threads.map(tell, runs))
    assert all(heard(dagsters, run_id) == [f"{n}" for n in range(25)] for run_id in runs)


def test_a_file_that_another_process_makes_meanwhile_keeps_its_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = str(uuid4())
    slow, quick = (SqliteEvents(str(tmp_path)) for _ in range(2))  # as two processes have them
    quick.store_event(said(str(uuid4()), "earlier"))
    make = sqlite_events._empty_shard

    def make_slowly() -> bytes:  # the first time in a process, this takes a moment
        quick.store_event(said(run_id, "first"))
        quick.store_event(said(str(uuid4()), "later"))  # which closes the file of the other
        return make()

    monkeypatch.setattr(sqlite_events, "_empty_shard", make_slowly)
    slow.store_event(said(run_id, "second"))
    assert [heard(storage, run_id) for storage in (slow, quick)] == [["first", "second"]] * 2
    assert [path.name for path in tmp_path.iterdir() if ".db." in path.name] == []
    slow.dispose()
    quick.dispose()


def test_without_room_for_temporary_files_events_are_kept(
    ours: SqliteEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    run_id = str(uuid4())
    ours.store_event(said(run_id, "one"))
    assert heard(ours, run_id) == ["one"]


def test_it_can_be_closed_while_others_read(ours: SqliteEvents) -> None:
    run_id = str(uuid4())
    for text in ("one", "two"):
        ours.store_event(said(run_id, text))
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(lambda: [heard(ours, run_id) for _ in range(200)])
        while not reading.done():
            ours.dispose()
    assert reading.result() == [["one", "two"]] * 200


def test_files_that_were_replaced_are_opened_again(ours: SqliteEvents, tmp_path: Path) -> None:
    run_id = str(uuid4())
    for text in ("one", "two"):
        ours.store_event(said(run_id, text))
    ours.add_dynamic_partitions("csq_dumps", ["12"])
    shutil.rmtree(tmp_path)
    other = SqliteEventLogStorage(str(tmp_path))
    other.store_event(said(run_id, "three"))
    assert ours.get_dynamic_partitions("csq_dumps") == []
    ours.store_event(said(run_id, "four"))
    assert heard(ours, run_id) == heard(other, run_id) == ["three", "four"]


def test_a_file_that_is_gone_is_created_again(ours: SqliteEvents, tmp_path: Path) -> None:
    run_id = str(uuid4())
    for text in ("one", "two"):
        ours.store_event(said(run_id, text))
    for file in tmp_path.glob(f"{run_id}.db*"):
        file.unlink()
    ours.store_event(said(run_id, "three"))
    assert heard(ours, run_id) == ["three"]


def test_it_starts_again_where_the_history_was_wiped(ours: SqliteEvents) -> None:
    run_id = str(uuid4())
    for text in ("one", "two"):
        ours.store_event(said(run_id, text))
    ours.wipe()
    ours.store_event(said(run_id, "three"))
    assert heard(ours, run_id) == ["three"]
