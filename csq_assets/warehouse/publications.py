"""Which relations are published for other engines as they stand.

A note says so; the transaction that changes a relation removes it. A note that is lost costs a scan:
what is published says itself what it holds.
"""

from dataclasses import dataclass

import duckdb
from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import ALL_EVENTS, USER_IDENTITY, TableKind
from csq_assets.warehouse.engine import transaction

_RELATIONS = f"""
SELECT table_name AS name, 'csq' AS schema, max(dump_id) AS dump_id
FROM csq_ledger.tables LEFT JOIN csq_ledger.dumps USING (table_name) GROUP BY table_name
UNION ALL SELECT '{ALL_EVENTS}', 'csq', max(dump_id)
FROM csq_ledger.tables JOIN csq_ledger.dumps USING (table_name)
WHERE kind = '{TableKind.EVENTS.value}' HAVING count(*) > 0
UNION ALL SELECT '{USER_IDENTITY}', 'csq_meta', dump_id FROM csq_ledger.identity
WHERE NOT EXISTS (FROM csq_ledger.tables WHERE table_name = '{USER_IDENTITY}')
"""


@dataclass(frozen=True, slots=True)
class Publishable:
    """A relation for other engines, in DuckDB `schema.name`; `dump_id` is the newest dump in it."""

    name: str
    schema: str
    dump_id: int | None


def find_publishable(connection: DuckDBPyConnection, name: str) -> Publishable | None:
    """A current table, `all_events` or `user_identity`, the identity map; None where it is not there.
    A delivered table named `user_identity` takes the place of the map."""
    found = connection.execute(f"FROM ({_RELATIONS}) WHERE name = ?", [name]).fetchall()
    return Publishable(*found[0]) if found else None


def unpublished(connection: DuckDBPyConnection, target: str) -> frozenset[str]:
    """The relations that are to be published at `target`, or removed from it."""
    wanted = _names(connection, f"SELECT name FROM ({_RELATIONS})")
    return wanted ^ _names(
        connection, "SELECT name FROM csq_ledger.published WHERE target = ?", target
    )


def record_publication(
    connection: DuckDBPyConnection, name: str, target: str, *, is_there: bool
) -> None:
    """Note that the relation is published as it stands, or that it is there no more."""
    with transaction(connection):
        forget_publications(connection, name)
        if is_there:
            connection.execute("INSERT INTO csq_ledger.published VALUES (?, ?)", [name, target])


def forget_publications(connection: DuckDBPyConnection, *names: str) -> None:
    """Let these relations be published again: they change in this transaction."""
    connection.execute(
        "DELETE FROM csq_ledger.published WHERE name IN (SELECT unnest(?::VARCHAR[]))", [[*names]]
    )


def _names(connection: DuckDBPyConnection, statement: str, *parameters: str) -> frozenset[str]:
    try:
        return frozenset(name for (name,) in connection.execute(statement, parameters).fetchall())
    except duckdb.CatalogException:  # nothing was written yet, or by an earlier version
        return frozenset()
