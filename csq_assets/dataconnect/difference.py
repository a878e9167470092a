"""What dumps changed in a table, in the numbers that its materializations record."""

from dataclasses import dataclass

from csq_assets.dataconnect.audits import Change, TableAudit
from csq_assets.dataconnect.relation import without


@dataclass(frozen=True, slots=True)
class TableShape:
    """A table as it stands: its rows, and its columns under the names that people query."""

    rows: int = 0
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """From one state of a table to a later one.

    `rows_after = rows_before - rows_void + rows_in - duplicates_dropped - users_merged`, of which the
    last two are negative where rows are shown again. The other numbers say more of the same rows; they
    mean what they mean in `TableAudit`.
    """

    rows_before: int
    rows_void: int = 0  # shown before; a full resync replaced them, or the table was read anew
    rows_in: int = 0
    duplicates_dropped: int = 0
    users_merged: int = 0
    rows_after: int = 0
    rows_new: int = 0
    rows_updated: int = 0
    rows_reresolved: int = 0
    columns_added: tuple[str, ...] = ()
    columns_removed: tuple[str, ...] = ()

    @property
    def unaccounted(self) -> int:
        """Rows that the equation does not explain. Must be 0."""
        left = self.rows_before - self.rows_void + self.rows_in
        return self.rows_after - (left - self.duplicates_dropped - self.users_merged)

    def then(self, later: "Difference") -> "Difference":
        """Both together, where `later` begins as this one ends."""
        return Difference(
            rows_before=self.rows_before,
            rows_void=self.rows_void + later.rows_void,
            rows_in=self.rows_in + later.rows_in,
            duplicates_dropped=self.duplicates_dropped + later.duplicates_dropped,
            users_merged=self.users_merged + later.users_merged,
            rows_after=later.rows_after,
            rows_new=self.rows_new + later.rows_new,
            rows_updated=self.rows_updated + later.rows_updated,
            rows_reresolved=self.rows_reresolved + later.rows_reresolved,
            columns_added=(
                *without(self.columns_added, later.columns_removed),
                *without(later.columns_added, self.columns_removed),
            ),
            columns_removed=(
                *without(self.columns_removed, later.columns_added),
                *without(later.columns_removed, self.columns_added),
            ),
        )


@dataclass(frozen=True, slots=True)
class DumpDifference:
    """What changed as one dump came: its rows arrived, and a new identity map moved those of others."""

    dump_id: int
    change: Change
    difference: Difference


@dataclass(frozen=True, slots=True)
class TableDifference:
    """All of it; and dump by dump, as far as they changed the table. `failed`, `held` and `pending` are
    the dumps that are missing in it at the end."""

    table: str
    difference: Difference
    dumps: tuple[DumpDifference, ...]
    failed: tuple[int, ...] = ()
    held: tuple[int, ...] = ()
    pending: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class IdentityDifference:
    """The identity map: ids that resolve to another, and how often one came to resolve otherwise."""

    resolved_before: int
    resolved_after: int
    changed: int


def difference_of(before: TableShape, after: TableShape, audit: TableAudit) -> Difference:
    """What one refresh did."""
    return Difference(
        rows_before=before.rows,
        rows_void=before.rows if audit.change in ("replayed", "dropped") else 0,
        rows_in=audit.rows_in,
        duplicates_dropped=audit.duplicates_dropped,
        users_merged=audit.users_merged,
        rows_after=after.rows,
        rows_new=audit.rows_new,
        rows_updated=audit.rows_updated,
        rows_reresolved=audit.rows_reresolved,
        columns_added=without(after.columns, before.columns),
        columns_removed=without(before.columns, after.columns),
    )
