"""The DuckDB file: opened for one writer, with its schemas in it."""

import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from csq_assets.errors import BusyError, StorageError
from csq_assets.warehouse.database_schemas import create_schemas
from csq_assets.warehouse.duckdb_errors import explain, explained
from csq_assets.warehouse.views import complete_all_events

# DuckDB draws its progress on stdout where it takes the process for an interactive one.
_SETTINGS = "SET TimeZone = 'UTC'; SET enable_progress_bar = false"
_POLL_SECONDS = 0.2
_LOCKED = "Could not set lock"
_HOLDER = re.compile(r"held in (.+?) \(PID (\d+)\)")


@contextmanager
def open_warehouse(
    path: Path | str,
    *,
    memory_limit: str = "2GB",
    wait_seconds: float = 60,
    read_only: bool = False,
) -> Iterator[DuckDBPyConnection]:
    """A connection to the file, which is created if missing, with every schema in it.

    DuckDB gives the file to one writing process, or to readers. Where another process has it, this
    waits; what does not fit into `memory_limit` spills into a folder beside the file.
    Raises StorageError when `wait_seconds` have passed, or where the file cannot be used, also later:
    damage, a full disk and lack of memory while the connection is open end here.
    """
    path = Path(path)
    config = {"memory_limit": memory_limit, "temp_directory": f"{path}.tmp"}
    if not read_only:
        _make_folder(path)
    connection = _connect(path, config, wait_seconds=wait_seconds, read_only=read_only)
    with explained(path), closing(connection):
        if read_only:
            connection.execute(_SETTINGS)
            yield connection
        else:
            with writing(connection):
                yield connection


@contextmanager
def writing(connection: DuckDBPyConnection) -> Iterator[None]:
    """Set up a writing connection: UTC, no order among rows, and the schemas with their tables. In the
    end, even of work that failed, `csq.all_events` has every event table.

    Raises StorageError where the file was written by a newer version.
    """
    connection.execute(_SETTINGS)
    # Every row carries its order key, so DuckDB may write in parallel and with less memory.
    connection.execute("SET preserve_insertion_order = false")
    create_schemas(connection)
    try:
        yield
    finally:
        complete_all_events(connection)


def _connect(
    path: Path, config: dict[str, str], *, wait_seconds: float, read_only: bool
) -> DuckDBPyConnection:
    give_up_at = time.monotonic() + wait_seconds
    while True:
        try:
            return duckdb.connect(str(path), read_only=read_only, config=dict(config))
        except duckdb.IOException as error:
            if _LOCKED not in str(error):
                raise _unusable(path, error) from error
            left_seconds = give_up_at - time.monotonic()
            if left_seconds <= 0:
                raise _locked(path, error, wait_seconds) from error
            time.sleep(min(_POLL_SECONDS, left_seconds))
        except duckdb.Error as error:
            raise _unusable(path, error) from error


def _locked(path: Path, error: duckdb.Error, wait_seconds: float) -> StorageError:
    match = _HOLDER.search(str(error))
    holder = f"process {match[2]} ({match[1]})" if match else "another process"
    return BusyError(
        f"{holder} holds the DuckDB file, and kept it for {wait_seconds:g} seconds",
        where={"file": str(path)},
        remedy="Close it there and try again; nothing is lost. To stay connected while syncs run, "
        "set CSQ_DUCKDB_SNAPSHOT_PATH and read the snapshot.",
    )


def _unusable(path: Path, error: duckdb.Error) -> StorageError:
    return explain(error, path) or StorageError(
        f"cannot use the DuckDB file: {str(error).splitlines()[0]}",
        where={"file": str(path)},
        remedy="Check CSQ_DUCKDB_PATH.",
    )


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot make the folder of the DuckDB file: {error.strerror}",
            where={"file": str(path)},
            remedy="Check CSQ_DUCKDB_PATH.",
        ) from error
