"""How rows that share a key become one: judged over ids before any row is written, counted after."""

from dataclasses import dataclass
from typing import Protocol

from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the rows that a refresh touched. Differences to before may be negative."""

    rows_updated: int = 0  # keys whose row is a newer one now
    rows_lost: int = 0  # rows that arrived and are not shown, nor merged
    duplicates: int = 0
    merged: int = 0
    duplicated_keys: int = 0


class Reduction(Protocol):
    """The rules of one kind of table, for one refresh."""

    def judge(self) -> None:
        """Make `verdict` of what arrives, moves and is stored: which rows stay, which are shown."""
        ...

    def finish(self) -> Outcome:
        """Write what rows are made of others, now that all are there, and count."""
        ...


class KeepAll:
    """Rows without a key: increments append."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection

    def judge(self) -> None:
        self._connection.execute(
            "CREATE TEMP TABLE verdict (address BIGINT, dump_id BIGINT, ordinal BIGINT, "
            "shown BOOLEAN, stays BOOLEAN, wins BOOLEAN)"
        )

    def finish(self) -> Outcome:
        return Outcome()
