"""The columns of a current table in Iceberg, and the names that the definitions know them by.

Inside a job, ids keep their names and texts are `c1`, `c2`, ...: a delivered column may have any name.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from csq_assets.dataconnect.tables import DUMP_ID, ID_COLUMNS, RAW_USER_ID
from csq_assets.spark.dialect import quote

DUMP_ROW = "_dump_row"  # the row's place in its dump: with the dump it tells the order of rows
MERGED = -1  # the place of a row that was merged of several ids
OWN = ("user_id", "raw_user_id", "event_id", "session_id", "dump_id", "ordinal")


@dataclass(frozen=True, slots=True)
class Layout:
    """`shown` are the newest manifest's columns, each with the name that people see."""

    shown: Mapping[str, str]

    @property
    def inner(self) -> dict[str, str]:
        """The name of each delivered column inside a job."""
        return {
            column: column if column in ID_COLUMNS else f"c{place}"
            for place, column in enumerate(self.shown, 1)
        }

    @property
    def texts(self) -> dict[str, str]:
        """The same of all but the ids."""
        return {column: name for column, name in self.inner.items() if column not in ID_COLUMNS}

    @property
    def every(self) -> list[str]:
        """Every column inside a job."""
        return [*OWN, *self.texts.values()]

    @property
    def has_users(self) -> bool:
        return "user_id" in self.shown

    @property
    def outer(self) -> dict[str, str]:
        """Each column of the Iceberg table, in order, with its name inside a job."""
        own = {RAW_USER_ID: "raw_user_id"} if self.has_users else {}
        own |= {DUMP_ID: "dump_id", DUMP_ROW: "ordinal"}
        return {self.shown[column]: name for column, name in self.inner.items()} | own

    @property
    def types(self) -> dict[str, str]:
        """Each column of the Iceberg table with its type, as Spark names it."""
        return {shown: "bigint" if name in OWN else "string" for shown, name in self.outer.items()}

    def outside(self) -> str:
        """What to select inside a job for the Iceberg table."""
        return ", ".join(f"{name} AS {quote(shown)}" for shown, name in self.outer.items())

    def inside(self, there: Collection[str]) -> str:
        """What to select for a job of an Iceberg table that has the columns `there`."""
        shown = {name: column for column, name in self.outer.items() if column in there}
        types = dict.fromkeys(OWN, "BIGINT") | dict.fromkeys(self.texts.values(), "STRING")
        return ", ".join(
            f"{quote(shown[name]) if name in shown else f'CAST(NULL AS {kind})'} AS {name}"
            for name, kind in types.items()
        )
