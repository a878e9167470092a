"""The type that a column has in `csq_typed`: decided over what all its delivered values have in common.

The facts of a dump are the statements that hold for every value of a column in its partition. What
holds for several dumps is what each of them has, so types depend neither on the order in which dumps
arrive nor on what was dropped as a duplicate, and an increment can only widen a type.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from typing import TypeAlias

from csq_assets.dataconnect.column_meanings import InstantMeaning


class ColumnType(StrEnum):
    """As DuckDB names it. A TIMESTAMP is in UTC."""

    BOOLEAN = "BOOLEAN"
    BIGINT = "BIGINT"
    DOUBLE = "DOUBLE"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP"
    VARCHAR = "VARCHAR"


class Fit(IntFlag):
    """What is true of every value of a column; `warehouse.fit_sql` says which values that are."""

    NOTHING = 1  # there is no value
    BOOLEAN = 2
    BIGINT = 4
    DOUBLE = 8
    CENTS = 16  # numbers with two decimals each: so different texts are different numbers
    DATE = 32
    TIMESTAMP = 64
    INSTANT = 128  # an epoch or a text, as contract.md, section 5, reads it


EVERY_FIT = Fit(255)  # of a column without values

# The first that holds for every value counts.
_BY_FIT = {
    Fit.BOOLEAN: (ColumnType.BOOLEAN, "every value is true or false"),
    Fit.BIGINT: (ColumnType.BIGINT, "every value is a whole number"),
    Fit.DOUBLE: (ColumnType.DOUBLE, "every value is a number"),
    Fit.CENTS: (ColumnType.DOUBLE, "every value is a number with two decimals"),
    Fit.DATE: (ColumnType.DATE, "every value is a date"),
    Fit.TIMESTAMP: (ColumnType.TIMESTAMP, "every value is a timestamp in UTC"),
}
PINNED = "pinned"


@dataclass(frozen=True, slots=True)
class Decision:
    """A type, and why."""

    type: ColumnType
    reason: str


NO_VALUE = Decision(ColumnType.VARCHAR, "there is no value yet")

Pins: TypeAlias = Mapping[str, ColumnType]  # by the name that the column has in DuckDB
NO_PINS: Pins = {}
TablePins: TypeAlias = Mapping[str, Pins]
NO_TABLE_PINS: TablePins = {}


@dataclass(frozen=True, slots=True)
class ColumnHistory:
    """A column over the dumps that count: from which dump on its values had what in common, in numeric
    order of the dumps.
    """

    steps: tuple[tuple[int, Fit], ...] = ()

    @property
    def fits(self) -> Fit:
        return self.steps[-1][1] if self.steps else EVERY_FIT

    def decide(
        self, meaning: InstantMeaning | None, pin: ColumnType | None, first_dump: int
    ) -> tuple[Decision, int]:
        """The decision that holds now, and the dump from which on it holds; a pin, and a column that
        has never had a value, hold from `first_dump` on.
        """
        if pin is not None:
            return Decision(pin, PINNED), first_dump
        decision, since = decide(EVERY_FIT, meaning), first_dump
        for dump_id, fits in self.steps:
            if (now := decide(fits, meaning)) != decision:
                decision, since = now, dump_id
        return decision, since


def decide(fits: Fit, meaning: InstantMeaning | None) -> Decision:
    """The narrowest type that loses nothing of any value. Without values it is VARCHAR, but for what is
    documented as an instant: a query of an empty table is to find what it finds in a full one.
    """
    if Fit.NOTHING in fits and meaning is not InstantMeaning.DOCUMENTED:
        return NO_VALUE
    if meaning is not None and Fit.INSTANT in fits:
        return Decision(ColumnType.TIMESTAMP, "documented as an instant")
    if meaning is InstantMeaning.DOCUMENTED:
        return Decision(ColumnType.VARCHAR, "documented as an instant, but not every value is one")
    for fit, (found, reason) in _BY_FIT.items():
        if fit in fits:
            return Decision(found, reason)
    return Decision(ColumnType.VARCHAR, "text")


@dataclass(frozen=True, slots=True)
class Widened:
    """A column whose type the newest refresh changed, and the dump with a value that does not fit the
    old one. Not the value, which may be personal: findings reach the lake, Dagster and alerts."""

    column: str
    before: ColumnType
    after: ColumnType
    since_dump: int


@dataclass(frozen=True, slots=True)
class TypeAudit:
    """The typed view of a table as it stands.

    `unfit` counts, for pinned columns, the values that do not fit their type, and `absent` are pinned
    columns that the table does not have.
    """

    widened: tuple[Widened, ...] = ()
    unfit: Mapping[str, tuple[ColumnType, int]] = field(
        default_factory=dict[str, tuple[ColumnType, int]]
    )
    absent: tuple[str, ...] = ()


def find_widened(
    before: Mapping[str, Decision], after: Mapping[str, tuple[Decision, int]]
) -> Iterator[Widened]:
    """The columns of which queries may rely on a type that they have no longer. A pin is meant so, and
    where all values are gone, no value changed the type.
    """
    for column, (now, since_dump) in after.items():
        was = before.get(column, now)
        if now == NO_VALUE:
            continue
        if was.type not in (now.type, ColumnType.VARCHAR) and PINNED not in (
            was.reason,
            now.reason,
        ):
            yield Widened(column, was.type, now.type, since_dump)
