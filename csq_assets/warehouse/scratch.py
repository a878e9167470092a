"""The relations that the steps of a refresh hand to one another. They last for its transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Scratch:
    """One relation: its columns, and the modules whose SQL fills it and reads it."""

    name: str
    columns: str
    made_by: str
    read_by: tuple[str, ...]


_IDS = "user_id BIGINT, raw_user_id BIGINT"
_ORDER_KEY = "dump_id BIGINT, ordinal BIGINT"
_ARRIVING = f"{_IDS}, event_id BIGINT, session_id BIGINT, {_ORDER_KEY}"
# A row to decide over: where it is stored (null: it arrives), and whether it was shown.
_CANDIDATE = f"address BIGINT, {_IDS}, key_id BIGINT, {_ORDER_KEY}, shown BOOLEAN"
_MOVED = f"address BIGINT, next_user_id BIGINT, {_IDS}, key_id BIGINT, {_ORDER_KEY}, shown BOOLEAN"
_VERDICT = f"{_CANDIDATE}, stays BOOLEAN, wins BOOLEAN"
_CHANGED = "user_id BIGINT, next_user_id BIGINT"
_PAIRS = "place BIGINT, from_text VARCHAR, to_text VARCHAR, from_user_id BIGINT, to_user_id BIGINT"
_HOPS = "from_user_id BIGINT, to_user_id BIGINT, contested BOOLEAN"
_RESOLVED = "from_user_id BIGINT, user_id BIGINT"
_IDENTITY = ("identity_sql", "identity_pairs")

TABLE_SCRATCH = (
    # Users that resolve to another id than when the table was last refreshed, and their stored rows.
    Scratch("changed_users", _CHANGED, "row_store", ("row_store",)),
    Scratch("moved", _MOVED, "row_store", ("row_store", "deduplication")),
    # The ids of the new dumps' rows, users resolved.
    Scratch("arriving", _ARRIVING, "row_store", ("deduplication",)),
    # Keys that arriving and moved rows leave or reach, with all their rows.
    Scratch("touched_keys", "user_id BIGINT, key_id BIGINT", "deduplication", ("deduplication",)),
    Scratch("touched_rows", _CANDIDATE, "deduplication", ("deduplication",)),
    # Those of them, or of what a replay reads, that have a rival: whether each stays and is shown.
    Scratch("verdict", _VERDICT, "deduplication", ("delivered_sql", "row_store", "keyed_sql")),
)
IDENTITY_SCRATCH = (
    # Pairs as delivered and as integers, and the one of each id that counts.
    Scratch("pairs", _PAIRS, "identity_refresh", _IDENTITY),
    Scratch("hops", _HOPS, "identity_refresh", _IDENTITY),
    # Pairs that lead on to others, followed to their end.
    Scratch("followed", _RESOLVED, "identity_refresh", ("identity_sql",)),
    # Where the map as it is to be differs; `user_id` is null for an id that is not in it any more.
    Scratch("differing", _RESOLVED, "identity_refresh", ("identity_refresh",)),
)


@contextmanager
def scratch(connection: DuckDBPyConnection, relations: Sequence[Scratch]) -> Iterator[None]:
    """Create the relations, empty, and drop them at the end. A rollback drops them too."""
    for relation in relations:
        connection.execute(f"CREATE TEMP TABLE {relation.name} ({relation.columns})")
    yield
    for relation in relations:
        connection.execute(f"DROP TABLE {relation.name}")


def empty_scratch(connection: DuckDBPyConnection, relations: Sequence[Scratch]) -> None:
    for relation in relations:
        connection.execute(f"DELETE FROM {relation.name}")
