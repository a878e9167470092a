"""Rows as DuckDB keeps them, in `csq_rows`: one for each delivered row that may still be shown.

Beside its columns a row has its user as resolved and as delivered, its order key, and `shown`: false
for a row that lost only because two users became one, and comes back when they part again.

A refresh decides over ids alone, and writes each row once: what a transaction inserts and then
deletes or updates again, DuckDB would write twice.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import ID_COLUMNS
from csq_assets.errors import StorageError
from csq_assets.warehouse.columns import store_columns
from csq_assets.warehouse.engine import count, quote
from csq_assets.warehouse.ingest import DumpContent, open_partitions
from csq_assets.warehouse.rows_sql import arriving_ids, arriving_rows

_OWN = ("user_id", "raw_user_id", "event_id", "session_id", "dump_id", "ordinal", "shown")
_DELIVERED_IDS = {name: name for name in ID_COLUMNS}
_SCRATCH_VIEWS = ("companions", "touched")
_SCRATCH_TABLES = ("arriving", "changed", "moved", "touched_keys", "touched_rows", "verdict")


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A dump that a refresh applies, looked at: its delivered columns and its number of rows."""

    dump: DumpContent
    columns: tuple[str, ...]
    rows: int


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
    with open_partitions(connection, dumps) as partitions:
        for partition in partitions:
            dump_id = partition.dump.dump_id
            ids = partition.select(_DELIVERED_IDS)
            with partition.reading():
                rows = count(
                    connection,
                    f"INSERT INTO arriving WITH delivered AS ({ids}) {arriving_ids(dump_id)}",
                )
            arrived.append(Arrived(partition.dump, partition.columns, rows))
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
    with open_partitions(connection, [found.dump for found in arrived]) as partitions:
        for found, partition in zip(arrived, partitions, strict=True):
            dump_id = partition.dump.dump_id
            texts = {name: stored[name] for name in found.columns if name not in ID_COLUMNS}
            rows = partition.select({**_DELIVERED_IDS, **texts})
            with partition.reading():
                written = count(
                    connection,
                    f"INSERT INTO csq_rows.{quote(table)} ({', '.join((*_OWN, *texts.values()))}) "
                    f"WITH delivered AS ({rows}) {arriving_rows(texts.values(), dump_id)}",
                )
            lost = count(
                connection,
                "SELECT count(*) FROM verdict WHERE dump_id = ? AND NOT stays",
                [dump_id],
            )
            if written + lost != found.rows:
                raise StorageError(
                    "the partition was replaced while it was read",
                    where={"dump": dump_id},
                    remedy="Run csq sync again.",
                )
