"""Dagster's events in SQLite, in the very files of `storage: sqlite`, for a fraction of the time.

For each event Dagster opens and closes a file several times, and at each of these SQLite waits for the
disk: recording a small table takes longer than decoding it. Here connections stay open, and a commit
does not wait. A power failure may take the newest events, never a whole file; what csq_assets knows of
its dumps stands in the lake.

`dagster.yaml` names it as `storage: custom`. Without that all works as well, only slower.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

import sqlalchemy
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy.pool import NullPool

_FileIdentity: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A connection that stays open, and the file that it leads to."""

    connection: sqlalchemy.Connection
    file: _FileIdentity | None


class SqliteHistory(DagsterSqliteStorage):
    """Dagster's own storage, but for the events."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        index = Path(self._event_log_storage.path_for_shard(INDEX_SHARD_NAME))
        self._event_log_storage = SqliteEvents(str(index.parent))

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Any) -> Self:
        return cls.from_local(inst_data=inst_data, **config_value)


class SqliteEvents(SqliteEventLogStorage):
    """Stays connected to the index of all runs, and to the run that was last asked for."""

    def __init__(self, base_dir: str) -> None:
        self._kept: dict[str, _Kept] = {}
        self._tables: set[str] = set()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        file = _identity(self.path_for_shard(shard))
        if file is None:
            self._initialized_dbs.discard(shard)
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

    def store_event(self, event: EventLogEntry) -> None:
        super().store_event(event)
        # A page that follows a run watches its file, and SQLite has written beside it.
        with suppress(FileNotFoundError):
            os.utime(self.path_for_shard(event.run_id))

    def has_table(self, table_name: str) -> bool:
        """Asked anew for each evaluation of a check; a table that is there stays."""
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
        for shard in [one for one in self._kept if one != but]:
            self._kept.pop(shard).connection.close()


def _identity(path: str) -> _FileIdentity | None:
    """What tells a file from another in its place; None where there is none."""
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _open(url: str) -> sqlalchemy.Connection:
    """A connection for all threads, which take turns.

    The file is in the mode of a write-ahead log: there it stays whole with `synchronous = NORMAL`.
    """
    engine = sqlalchemy.create_engine(
        url,
        poolclass=NullPool,  # so that closing closes
        connect_args={"check_same_thread": False, "timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
    )
    connection = engine.connect()
    with connection.begin():
        connection.exec_driver_sql("PRAGMA synchronous = NORMAL")
    return connection
