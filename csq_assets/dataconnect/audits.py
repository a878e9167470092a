"""What a refresh found and did, in numbers: checks evaluate them, materializations record them."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Change: TypeAlias = Literal["unchanged", "appended", "replayed", "dropped"]


@dataclass(frozen=True, slots=True)
class TableAudit:
    """One refresh of one table, and how the table stands after it.

    `duplicates_dropped` and `users_merged` are rows that this refresh hid or dropped, less those that
    are shown again. `duplicated_keys` counts keys that more than one row has, which must be 0: among
    the keys that the refresh touched, or among all of them if `audited_all`.
    """

    table: str
    change: Change = "unchanged"
    rows_in: int = 0  # delivered by the dumps that this refresh applied
    rows_new: int = 0
    rows_updated: int = 0  # keys whose row was replaced by a newer one
    rows_reresolved: int = 0  # stored rows whose user resolves to another id than before
    duplicates_dropped: int = 0
    users_merged: int = 0
    rows_delivered: int = 0  # by all dumps that make the table
    rows_kept: int = 0  # shown in the table
    duplicates_total: int = 0
    merged_total: int = 0
    duplicated_keys: int = 0
    audited_all: bool = False

    @property
    def unaccounted(self) -> int:
        """Delivered rows that are neither shown, nor dropped as duplicates, nor merged. Must be 0."""
        return self.rows_delivered - self.rows_kept - self.duplicates_total - self.merged_total


@dataclass(frozen=True, slots=True)
class IdentityAudit:
    """The identity map, and the quality of its pairs. Examples are at most ten."""

    dump_id: int | None = None  # None where no dump has migrations
    changed: bool = False
    users_changed: int = 0  # ids that resolve to another one than before
    users_resolved: int = 0  # ids that resolve to another
    pairs: int = 0  # as delivered
    refused: int = 0  # null, or not a 64-bit integer
    refused_examples: tuple[str, ...] = ()
    contested: int = 0  # ids with several targets
    contested_examples: tuple[int, ...] = ()
    cycles: int = 0
    cycle_examples: tuple[tuple[int, ...], ...] = ()
