"""Dagster's SQLite event log with connections that stay open: the same files, a fraction of the time
and of the room.

For each event, Dagster opens and closes a file several times, and SQLite waits for the disk each time:
recording a small table takes longer than decoding it. Here connections stay open, and a commit does not
wait for the disk. A power failure may lose the newest events, never a whole file; what csq_assets
knows of its dumps is in the lake.

Dagster also keeps each evaluation of a check three times, and a file for each run that is mostly empty
pages. Here it is whole with its run alone, and the pages are small.

The only module that subclasses private classes of Dagster. `storage.py` falls back to Dagster's own
event log where the installed Dagster does not fit.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias
from uuid import uuid4

import dagster as dg
import sqlalchemy
from dagster._core.events import ASSET_CHECK_EVENTS
from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._serdes import serialize_value
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from csq_assets.errors import StorageError
from csq_assets.lake.temporary import temporary_folder

_BUSY_TIMEOUT_SECONDS = 30  # as Dagster's own connections
_SMALL_PAGES = (
    *("PRAGMA journal_mode = DELETE", "PRAGMA page_size = 1024"),
    *("VACUUM", "PRAGMA journal_mode = WAL"),
)
_FileIdentity: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A connection that stays open, and the file that it leads to."""

    connection: sqlalchemy.Connection
    file: _FileIdentity | None


class SqliteEvents(SqliteEventLogStorage):
    """Stays connected to the index of all runs, and to the run that was last asked for."""

    def __init__(self, base_dir: str) -> None:
        self._kept: dict[str, _Kept] = {}
        self._tables: set[str] = set()
        self._empty_shard: bytes | None = None
        super().__init__(base_dir)

    @classmethod
    def replacing(cls, dagsters: EventLogStorage) -> Self:
        """The events in the files of Dagster's own storage.

        Raises AttributeError or TypeError where the installed Dagster is made differently.
        """
        if not isinstance(dagsters, SqliteEventLogStorage):
            raise TypeError(f"events are in {type(dagsters).__name__}")
        events = cls(str(Path(dagsters.path_for_shard(INDEX_SHARD_NAME)).parent))
        with suppress(SQLAlchemyError):  # a damaged database is reported where it is used
            for _ in range(2):  # the first connection is Dagster's, the second one stays open
                with events.index_connection():
                    pass
            if INDEX_SHARD_NAME not in events._kept:
                raise AttributeError("SqliteEventLogStorage does not call _connect")
        return events

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        file = _identity(self.path_for_shard(shard))
        if file is None:
            self._initialized_dbs.discard(shard)
            if shard != INDEX_SHARD_NAME:
                self._create_shard(shard)
                file = _identity(self.path_for_shard(shard))
        if shard not in self._initialized_dbs:  # Dagster makes the file, if it is not there
            with super()._connect(shard) as connection:
                yield connection
            return
        with self._db_lock:
            try:
                connection = self._connection(shard, file)
                with connection.begin():
                    yield connection
            except BaseException:  # whatever state it is in, the next one is a new one
                self._disconnect()
                raise

    def _create_shard(self, shard: str) -> None:
        """Copy an empty file for a new run: to create its tables takes ten times as long. Never over
        one that another process has made meanwhile, which may have events by now. Where there is no
        room for that, Dagster creates the file, or says what is wrong."""
        path = Path(self.path_for_shard(shard))
        beside = path.with_name(f"{path.name}.{uuid4().hex}")
        try:
            with self._db_lock:
                if self._empty_shard is None:
                    self._empty_shard = _empty_shard()
                beside.write_bytes(self._empty_shard)
                path.hardlink_to(beside)
                self._initialized_dbs.add(shard)
        except (OSError, StorageError, sqlite3.Error, SQLAlchemyError):
            pass
        finally:
            with suppress(OSError):
                beside.unlink(missing_ok=True)

    def store_event(self, event: dg.EventLogEntry) -> None:
        if event.dagster_event_type in ASSET_CHECK_EVENTS:
            self._store_check_event(event)
        else:
            super().store_event(event)
        # A page that follows a run watches its file, and SQLite has written beside it.
        with suppress(FileNotFoundError):
            os.utime(self.path_for_shard(event.run_id))

    def _store_check_event(self, event: dg.EventLogEntry) -> None:
        """As Dagster does it, but for what nothing reads: of its row in the index only the number
        counts, and the table of checks has what the pages of checks show."""
        row = self.prepare_insert_event(event)
        with self.run_connection(event.run_id) as connection:
            connection.execute(row)
        shell = event._replace(dagster_event=None, user_message="")
        with self.index_connection() as connection:
            number = connection.execute(row.values(event=serialize_value(shell))).lastrowid
        self.store_asset_check_event(_without_context(event), number)

    def has_table(self, table_name: str) -> bool:
        """Dagster asks for each check evaluation; a table that is there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def wipe(self) -> None:
        super().wipe()
        with self._db_lock:
            self._disconnect()

    def dispose(self) -> None:
        super().dispose()
        with self._db_lock:
            self._disconnect()

    def _connection(self, shard: str, file: _FileIdentity | None) -> sqlalchemy.Connection:
        if shard in self._kept and self._kept[shard].file != file:  # another has taken its place
            self._disconnect()
        if shard not in self._kept:
            if shard != INDEX_SHARD_NAME:
                self._disconnect(but=INDEX_SHARD_NAME)
            self._kept[shard] = _Kept(_open(self.conn_string_for_shard(shard)), file)
        return self._kept[shard].connection

    def _disconnect(self, *, but: str | None = None) -> None:
        for shard in [kept for kept in self._kept if kept != but]:
            self._kept.pop(shard).connection.close()


def _empty_shard() -> bytes:
    """A file for the events of a run, as Dagster makes it, but with small pages: it has two dozen
    tables and indexes, of which two are used."""
    with temporary_folder() as folder:
        dagsters = SqliteEventLogStorage(str(folder))
        with dagsters.run_connection("empty"):
            pass
        dagsters.dispose()
        path = Path(dagsters.path_for_shard("empty"))
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            for command in _SMALL_PAGES:
                connection.execute(command)
        return path.read_bytes()


def _without_context(event: dg.EventLogEntry) -> dg.EventLogEntry:
    """The evaluation without what the log of its run says beside it."""
    dagsters = event.get_dagster_event()
    bare = dagsters._replace(message=None, logging_tags={}, step_handle=None, node_handle=None)
    return event._replace(dagster_event=bare, user_message="")


def _identity(path: str) -> _FileIdentity | None:
    """Tells a file from another in its place; None where there is none."""
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _open(url: str) -> sqlalchemy.Connection:
    """A connection for all threads, which take turns.

    The file is in write-ahead log mode, so it stays whole with `synchronous = NORMAL`.
    """
    engine = sqlalchemy.create_engine(
        url,
        poolclass=NullPool,  # so that closing closes
        connect_args={"check_same_thread": False, "timeout": _BUSY_TIMEOUT_SECONDS},
    )
    connection = engine.connect()
    with connection.begin():
        connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
    return connection
