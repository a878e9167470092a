"""What is applied to a current table, as its commits record it."""

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from csq_assets.dataconnect.tables import TableKind
from csq_assets.warehouse.applied_state import AppliedDump, TableState


@dataclass(frozen=True, slots=True)
class Commit:
    """The state; the snapshot of the hidden rows that go with it; every column that the dumps' files
    have, whether a manifest lists it or not; and what tells it from any other commit. The identity
    map's version is its snapshot."""

    table: TableState
    hidden: int | None = None
    delivered: tuple[str, ...] = ()
    version: str = field(default_factory=lambda: uuid4().hex)

    def dumped(self) -> dict[str, Any]:
        """As JSON. Dumps share lists of columns, for most have the same."""
        lists = list(dict.fromkeys(dump.columns for dump in self.table.dumps))
        places = {columns: place for place, columns in enumerate(lists)}
        return {
            "kind": self.table.kind.value,
            "identity": self.table.identity_version,
            "counts": [self.table.duplicates, self.table.merged, self.table.duplicated_keys],
            "hidden": self.hidden,
            "delivered": list(self.delivered),
            "version": self.version,
            "columns": [list(columns) for columns in lists],
            "dumps": [
                [dump.dump_id, dump.content, dump.rows, places[dump.columns]]
                for dump in self.table.dumps
            ],
        }

    @classmethod
    def loaded(cls, found: Any) -> "Commit":
        dumps = tuple(
            AppliedDump(dump_id, content, rows, tuple(found["columns"][place]))
            for dump_id, content, rows, place in found["dumps"]
        )
        kind, counts = TableKind(found["kind"]), found["counts"]
        table = TableState(kind, found["identity"], dumps, *counts)
        return cls(table, found["hidden"], tuple(found["delivered"]), found["version"])
