"""The relations that the steps of a refresh hand to one another. They last for its transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Scratch:
    """One relation: its columns, and the modules whose SQL fills it and reads it.

    A view has no `columns` of its own: it is another name for a query of its maker.
    """

    name: str
    columns: str
    made_by: str
    read_by: tuple[str, ...]


_ROW = (
    "user_id BIGINT, raw_user_id BIGINT, event_id BIGINT, session_id BIGINT, dump_id BIGINT, "
    "ordinal BIGINT"
)
# A row that a refresh decides over: where it is stored (null: it arrives) and whether it was shown.
_CANDIDATE = (
    "address BIGINT, user_id BIGINT, raw_user_id BIGINT, key_id BIGINT, dump_id BIGINT, "
    "ordinal BIGINT, shown BOOLEAN"
)

TABLE_SCRATCH = (
    # Users that resolve to another id than when the table was last refreshed.
    Scratch("changed_users", "user_id BIGINT, next_user_id BIGINT", "row_store", ("row_store",)),
    # Stored rows of those users.
    Scratch(
        "moved",
        f"address BIGINT, next_user_id BIGINT, {_ROW}, shown BOOLEAN",
        "row_store",
        ("row_store", "keyed_sql", "users_sql"),
    ),
    # The ids of the new dumps' rows, users resolved.
    Scratch("arriving", _ROW, "row_store", ("keyed_sql", "users_sql")),
    # Keys that arriving and moved rows leave or reach; `key_id` is null for users.
    Scratch(
        "touched_keys",
        "user_id BIGINT, key_id BIGINT",
        "deduplication",
        ("keyed_sql", "users_sql"),
    ),
    # All rows of those keys.
    Scratch("touched_rows", _CANDIDATE, "deduplication", ("deduplication", "keyed_sql")),
    # The rows to decide over: `touched_rows`, or in a replay what arrives.
    Scratch("touched", "", "deduplication", ("keyed_sql", "users_sql")),
    # Those of them that have a rival: whether each stays in the table, and whether it is shown.
    Scratch(
        "verdict",
        f"{_CANDIDATE}, stays BOOLEAN, wins BOOLEAN",
        "deduplication",
        ("delivered_sql", "row_store", "keyed_sql", "users_sql"),
    ),
    # Stored rows of users that several ids became.
    Scratch("companions", "", "deduplication", ("deduplication", "users_sql")),
)
IDENTITY_SCRATCH = (
    # Pairs as delivered, and as integers.
    Scratch(
        "pairs",
        "place BIGINT, from_text VARCHAR, to_text VARCHAR, from_user_id BIGINT, to_user_id BIGINT",
        "identity_refresh",
        ("identity_sql", "identity_refresh"),
    ),
    # The pair that counts of each id.
    Scratch(
        "hops",
        "from_user_id BIGINT, to_user_id BIGINT, contested BOOLEAN",
        "identity_refresh",
        ("identity_sql", "identity_refresh"),
    ),
    # Pairs that lead on to others, followed to their end.
    Scratch(
        "followed", "from_user_id BIGINT, user_id BIGINT", "identity_refresh", ("identity_sql",)
    ),
    # The whole map as it is to be.
    Scratch(
        "resolved", "from_user_id BIGINT, user_id BIGINT", "identity_refresh", ("identity_refresh",)
    ),
    # Where it differs from the map as it was; `user_id` is null for an id that is not in it any more.
    Scratch(
        "differing",
        "from_user_id BIGINT, user_id BIGINT",
        "identity_refresh",
        ("identity_refresh",),
    ),
)


@contextmanager
def scratch(connection: DuckDBPyConnection, relations: Sequence[Scratch]) -> Iterator[None]:
    """Create the relations, empty, and drop them at the end. A rollback drops them too."""
    for relation in relations:
        if relation.columns:
            connection.execute(f"CREATE TEMP TABLE {relation.name} ({relation.columns})")
    yield
    for relation in reversed(relations):
        kind = "TABLE" if relation.columns else "VIEW"
        connection.execute(f"DROP {kind} IF EXISTS {relation.name}")


def empty_scratch(connection: DuckDBPyConnection, relations: Sequence[Scratch]) -> None:
    for relation in relations:
        if relation.columns:
            connection.execute(f"DELETE FROM {relation.name}")
