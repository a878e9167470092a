"""Rows as DuckDB keeps them, in `csq_rows`: one for each delivered row that may still be shown.

Beside its columns a row has its user as delivered, the one whom that resolves to where it is another,
its order key, and `shown`: false for a row that lost only because two users became one, and is shown
again when they part. `user_id`, the user as resolved, is computed: where users become others, a column
that is mostly null is rewritten, and not one that is full of ids.

A refresh decides over ids alone, and writes each row once: what a transaction inserts and then
deletes or updates again, DuckDB would write twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import ID_COLUMNS
from csq_assets.errors import StorageError
from csq_assets.warehouse.column_facts import ColumnFacts
from csq_assets.warehouse.delivered_sql import arriving_ids, arriving_rows
from csq_assets.warehouse.engine import count, insert_rows, quote
from csq_assets.warehouse.partition_files import DumpContent, open_partitions

_IDS = {name: name for name in ID_COLUMNS}
_OWN = {
    "raw_user_id": "BIGINT",
    "resolved_user_id": "BIGINT",  # null where it is the delivered one
    **dict.fromkeys(("event_id", "session_id", "dump_id", "ordinal"), "BIGINT"),
    "shown": "BOOLEAN",
}
_USER_ID = "BIGINT GENERATED ALWAYS AS (coalesce(resolved_user_id, raw_user_id))"


@dataclass(frozen=True, slots=True, eq=False)
class Arrived:
    """A dump that a refresh applies: the columns of its partition, and its number of rows."""

    dump: DumpContent
    columns: tuple[str, ...]
    rows: int


def add_columns(
    connection: DuckDBPyConnection, table: str, added: Mapping[str, str], *, replayed: bool
) -> None:
    """Make room for new columns, given with their stored names. A replay begins with an empty table."""
    rows = f"csq_rows.{quote(table)}"
    texts = [name for column, name in added.items() if column not in ID_COLUMNS]
    if replayed:
        columns = {**_OWN, "user_id": _USER_ID, **dict.fromkeys(texts, "VARCHAR")}
        declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(f"CREATE OR REPLACE TABLE {rows} ({declared})")
        connection.execute("DELETE FROM csq_ledger.columns WHERE table_name = ?", [table])
    else:
        for name in texts:
            connection.execute(f"ALTER TABLE {rows} ADD COLUMN {name} VARCHAR")
    insert_rows(connection, "csq_ledger.columns", [(table, *names) for names in added.items()])


def find_moved(connection: DuckDBPyConnection, table: str, key: str, since: int) -> int:
    """Fill `moved`: the stored rows whose user has changed since that version of the identity map, with
    `key`, the other id of their key, and `next_user_id`. Gives their number.
    """
    connection.execute(
        "INSERT INTO changed_users "
        "SELECT noted.user_id, coalesce(identity.user_id, noted.user_id) AS next_user_id "
        "FROM (SELECT DISTINCT user_id FROM csq_ledger.identity_changes WHERE version > ?) AS noted "
        "LEFT JOIN csq_meta.user_identity AS identity ON identity.from_user_id = noted.user_id",
        [since],
    )
    return count(
        connection,
        "INSERT INTO moved SELECT stored.rowid AS address, changed_users.next_user_id, "
        f"stored.user_id, stored.raw_user_id, {key} AS key_id, "
        "stored.dump_id, stored.ordinal, stored.shown "
        f"FROM csq_rows.{quote(table)} AS stored "
        "JOIN changed_users ON changed_users.user_id = stored.raw_user_id "
        "WHERE changed_users.next_user_id <> stored.user_id",
    )


def read_arriving(
    connection: DuckDBPyConnection, dumps: Sequence[DumpContent], *, with_ids: bool
) -> tuple[Arrived, ...]:
    """The first pass over the dumps: their columns and numbers of rows. It fills `arriving` if
    `with_ids`. Raises StorageError where a partition cannot be read.
    """
    arrived = []
    with open_partitions(dumps) as partitions:
        for partition in partitions:
            ids = f"WITH delivered AS ({partition.select(_IDS)}) "
            work = f"{ids} SELECT count(*) FROM delivered"
            if with_ids:
                work = f"INSERT INTO arriving {ids} {arriving_ids(partition.dump.dump_id)}"
            with partition.reading():
                rows = count(connection, work)
            arrived.append(Arrived(partition.dump, partition.columns, rows))
    return tuple(arrived)


def apply_verdict(connection: DuckDBPyConnection, table: str) -> None:
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
        f"UPDATE csq_rows.{quote(table)} AS stored "
        "SET resolved_user_id = nullif(moved.next_user_id, moved.raw_user_id) "
        "FROM moved WHERE stored.rowid = moved.address"
    )
    connection.execute(
        f"UPDATE csq_rows.{quote(table)} SET shown = NOT shown WHERE rowid IN "
        "(SELECT address FROM verdict WHERE stays AND wins <> shown AND NOT address IS NULL)"
    )


def append_arriving(
    connection: DuckDBPyConnection,
    table: str,
    arrived: Sequence[Arrived],
    stored: Mapping[str, str],
    facts: ColumnFacts,
) -> None:
    """The second pass: append the rows that stay, and note the `facts` of each dump. `stored` is the
    stored name of each column.

    Raises StorageError where a partition is not the one of the first pass.
    """
    with open_partitions([found.dump for found in arrived]) as partitions:
        for found, partition in zip(arrived, partitions, strict=True):
            dump_id = partition.dump.dump_id
            texts = {name: stored[name] for name in found.columns if name not in ID_COLUMNS}
            rows = partition.select({**_IDS, **texts})
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
            facts.note(partition)
