"""Rows as DuckDB keeps them, in `csq_rows`: one for each delivered row that may still be shown.

Beside its columns a row has its user as resolved and as delivered, its order key, and `shown`: false
for a row that lost only because two users became one, and comes back when they part again.

A refresh decides over ids alone, and writes each row once: what a transaction inserts and then
deletes or updates again, DuckDB would write twice.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import polars as pl
from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import ID_COLUMNS, OWN_COLUMNS
from csq_assets.errors import StorageError
from csq_assets.prefetch import map_in_order
from csq_assets.warehouse.columns import store_columns
from csq_assets.warehouse.engine import count, quote
from csq_assets.warehouse.frames import count_batches, reading
from csq_assets.warehouse.rows_sql import arriving_ids, arriving_rows

_OWN = ("user_id", "raw_user_id", "event_id", "session_id", "dump_id", "ordinal", "shown")
_SCANNED_AT_ONCE = 8
_SCRATCH_VIEWS = ("companions", "touched")
_SCRATCH_TABLES = ("arriving", "changed", "moved", "touched_keys", "touched_rows", "verdict")


@dataclass(frozen=True, slots=True, eq=False)
class DumpContent:
    """One dump of one table, as it is in force.

    `columns` are its manifest's. `content` is a fingerprint that changes when the dump is delivered
    again. `scan` gives its rows in manifest order, with the columns of contract.md, section 4; it
    is called only if the rows are needed.
    """

    dump_id: int
    columns: tuple[str, ...]
    content: str
    scan: Callable[[], pl.LazyFrame]


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A dump that a refresh applies, looked at: its delivered columns and its number of rows."""

    dump: DumpContent
    columns: tuple[str, ...]
    rows: int


def scan_in_order(
    dumps: Sequence[DumpContent],
) -> Iterator[tuple[DumpContent, pl.LazyFrame]]:
    """Each dump with its rows, while some that come next are looked up: that may take a while each.

    Raises StorageError where a partition cannot be read.
    """

    def scan(dump: DumpContent) -> pl.LazyFrame:
        with reading(dump.dump_id):
            return dump.scan()

    with closing(map_in_order(scan, dumps, workers=_SCANNED_AT_ONCE)) as frames:
        yield from zip(dumps, frames, strict=True)


@contextmanager
def scratch(connection: DuckDBPyConnection) -> Iterator[None]:
    """Room for the relations that the steps of one refresh pass on; a rollback clears it too."""
    yield
    for view in _SCRATCH_VIEWS:
        connection.execute(f"DROP VIEW IF EXISTS {view}")
    for table in _SCRATCH_TABLES:
        connection.execute(f"DROP TABLE IF EXISTS {table}")


def create_rows(connection: DuckDBPyConnection, table: str) -> None:
    """Make the table anew, without rows and with no column but our own."""
    drop_rows(connection, table)
    connection.execute(
        f"CREATE TABLE csq_rows.{quote(table)} (user_id BIGINT, raw_user_id BIGINT, "
        "event_id BIGINT, session_id BIGINT, dump_id BIGINT, ordinal BIGINT, shown BOOLEAN)"
    )


def drop_rows(connection: DuckDBPyConnection, table: str) -> None:
    connection.execute(f"DROP TABLE IF EXISTS csq_rows.{quote(table)}")
    connection.execute("DELETE FROM csq_ledger.columns WHERE table_name = ?", [table])


def find_moved(connection: DuckDBPyConnection, table: str, since: int) -> int:
    """Make `moved`: the ids of stored rows whose user has changed since that version of the
    identity map, and `next_user_id`. Gives their number.
    """
    connection.execute(
        "CREATE TEMP TABLE changed AS "
        "SELECT noted.user_id, coalesce(identity.user_id, noted.user_id) AS next_user_id "
        "FROM (SELECT DISTINCT user_id FROM csq_ledger.identity_changes WHERE version > ?) AS noted "
        "LEFT JOIN csq_meta.user_identity AS identity ON identity.from_user_id = noted.user_id",
        [since],
    )
    return count(
        connection,
        "CREATE TEMP TABLE moved AS SELECT stored.rowid AS address, changed.next_user_id, "
        f"{', '.join(f'stored.{name}' for name in _OWN)} "
        f"FROM csq_rows.{quote(table)} AS stored "
        "JOIN changed ON changed.user_id = stored.raw_user_id "
        "WHERE changed.next_user_id <> stored.user_id",
    )


def forget_moved(connection: DuckDBPyConnection) -> None:
    connection.execute("DROP TABLE changed; DROP TABLE moved")


def find_arriving(
    connection: DuckDBPyConnection, dumps: Sequence[DumpContent]
) -> tuple[Arrived, ...]:
    """Make `arriving`: the ids of the dumps' rows, users resolved."""
    connection.execute(
        "CREATE TEMP TABLE arriving (user_id BIGINT, raw_user_id BIGINT, event_id BIGINT, "
        "session_id BIGINT, dump_id BIGINT, ordinal BIGINT)"
    )
    arrived = []
    for dump, frame in scan_in_order(dumps):
        with reading(dump.dump_id):
            delivered = frame.collect_schema().names()
            columns = tuple(name for name in delivered if name not in OWN_COLUMNS)
            ids = {name: name for name in columns if name in ID_COLUMNS}
            rows = count_batches(
                connection,
                frame,
                ids,
                f"INSERT INTO arriving {arriving_ids(ids, dump.dump_id)}",
            )
        arrived.append(Arrived(dump, columns, rows))
    return tuple(arrived)


def write_verdict(connection: DuckDBPyConnection, table: str) -> None:
    """Delete the stored rows that do not stay, give those that moved their user, and show those
    that win and no others.

    A column rewritten in place costs a pass over it at the checkpoint, so that grows with the table;
    a whole row that is deleted and inserted again costs all its columns, and that grows faster.
    """
    connection.execute(
        f"DELETE FROM csq_rows.{quote(table)} WHERE rowid IN "
        "(SELECT address FROM verdict WHERE NOT stays AND NOT address IS NULL)"
    )
    connection.execute(
        f"UPDATE csq_rows.{quote(table)} AS stored SET user_id = moved.next_user_id "
        "FROM moved WHERE stored.rowid = moved.address"
    )
    connection.execute(
        f"UPDATE csq_rows.{quote(table)} SET shown = NOT shown WHERE rowid IN "
        "(SELECT address FROM verdict WHERE stays AND wins <> shown AND NOT address IS NULL)"
    )


def write_arriving(connection: DuckDBPyConnection, table: str, arrived: Sequence[Arrived]) -> None:
    """Append those rows that stay.

    Raises StorageError where a partition is not the one that was judged.
    """
    # All columns before the first row: to alter a table that has rows of its own takes longer.
    every = dict.fromkeys(name for dump in arrived for name in dump.columns)
    stored = store_columns(connection, table, every)
    scanned = scan_in_order([found.dump for found in arrived])
    for found, (dump, frame) in zip(arrived, scanned, strict=True):
        dump_id = dump.dump_id
        names = {column: stored[column] for column in found.columns}
        texts = [name for name in names.values() if name not in ID_COLUMNS]
        into = ", ".join((*_OWN, *texts))
        with reading(dump_id):
            written = count_batches(
                connection,
                frame,
                names,
                f"INSERT INTO csq_rows.{quote(table)} ({into}) "
                f"{arriving_rows(tuple(names.values()), dump_id)}",
            )
        lost = count(
            connection, "SELECT count(*) FROM verdict WHERE dump_id = ? AND NOT stays", [dump_id]
        )
        if written + lost != found.rows:
            raise StorageError(
                "the partition was written anew while it was read",
                where={"dump": dump_id},
                remedy="Run csq sync again.",
            )
