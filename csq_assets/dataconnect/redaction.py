"""What does not enter the lake: rows of users who were forgotten, columns, and values to be hashed."""

from dataclasses import dataclass, field

import polars as pl

from csq_assets.dataconnect.column_rules import ColumnRules
from csq_assets.dataconnect.tombstones import Tombstones


@dataclass(frozen=True, slots=True)
class Redaction:
    """Both, for any table."""

    tombstones: Tombstones = field(default_factory=Tombstones)
    columns: ColumnRules = field(default_factory=ColumnRules)

    def apply(self, table: str, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame, without its dropped columns by now, as it may be written."""
        return self.columns.hash_columns(table, self.tombstones.without_rows(table, frame))
