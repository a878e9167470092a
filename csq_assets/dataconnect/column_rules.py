"""Columns that are left out, or hashed, before anything is written into the lake."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import polars as pl

from csq_assets.dataconnect.tables import ID_COLUMNS, OWN_COLUMNS
from csq_assets.dataconnect.tombstones import user_columns


@dataclass(frozen=True, slots=True)
class ColumnRules:
    """`dropped` and `hashed` are globs over `table.column`, whose case does not count: what is meant to
    stay out must not come in by another spelling. A glob never means an id, only its whole name does.
    What is both is dropped. `key` is that of the HMAC.
    """

    dropped: tuple[str, ...] = ()
    hashed: tuple[str, ...] = ()
    key: bytes = b""

    def __repr__(self) -> str:  # without the key
        return f"ColumnRules({self.dropped!r}, {self.hashed!r})"

    def drops(self, table: str, column: str) -> bool:
        return _names(self.dropped, table, column)

    def hashes(self, table: str, column: str) -> bool:
        return _names(self.hashed, table, column) and not self.drops(table, column)

    def dropped_of(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that are left out."""
        return tuple(name for name in columns if self.drops(table, name)) if self.dropped else ()

    def hashed_of(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Those of the columns that are hashed."""
        return tuple(name for name in columns if self.hashes(table, name)) if self.hashed else ()

    def hash_columns(self, table: str, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with the HMAC-SHA-256 of each value to be hashed, in hexadecimal; null stays."""
        names = self.hashed_of(table, frame.columns)
        return frame.with_columns(self._hashed(frame.get_column(name)) for name in names)

    def _hashed(self, column: pl.Series) -> pl.Series:
        values = column.unique().drop_nulls()
        digests = [hmac.digest(self.key, value.encode(), "sha256").hex() for value in values]
        return column.replace_strict(values, pl.Series(digests, dtype=pl.String), default=None)


def _names(patterns: Iterable[str], table: str, column: str) -> bool:
    if column in OWN_COLUMNS:
        return False
    name = f"{table}.{column}".lower()
    is_id = column in ID_COLUMNS or column in user_columns(table, (column,))
    return any(
        fnmatchcase(name, pattern.lower())
        for pattern in patterns
        if not is_id or pattern.rpartition(".")[2].lower() == column
    )
