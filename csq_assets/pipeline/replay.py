"""Current tables as dumps made them, in a DuckDB file of its own. The lake is only read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.as_of import as_of
from csq_assets.dataconnect.column_types import Pins, TablePins
from csq_assets.dataconnect.difference import (
    Difference,
    DumpDifference,
    IdentityDifference,
    TableDifference,
    TableShape,
    difference_of,
)
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.relation import Relation
from csq_assets.errors import located
from csq_assets.lake.locations import Lake
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.pipeline.outcomes import RefreshedIdentity, RefreshedTable
from csq_assets.pipeline.progress import Listener
from csq_assets.pipeline.refresh import Refresh
from csq_assets.warehouse.staleness import read_applied


class _Forgetting:
    """Remembers nothing: what the lake knows of relations is how they are now."""

    def relation(self, asset: str) -> Relation | None:
        del asset

    def save_relation(self, relation: Relation) -> None:
        """Do nothing."""

    def forget_relation(self, asset: str) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """Brings `tables` of a file from one state of the pipeline to another. `now` is written as the time
    of applying; `pins` are chosen types. Methods raise StorageError."""

    connection: DuckDBPyConnection
    lake: Lake
    tables: Sequence[str]
    now: datetime
    pins: TablePins = field(default_factory=dict[str, Pins])

    def fill(
        self, state: PipelineState, listener: Listener
    ) -> tuple[RefreshedIdentity, dict[str, RefreshedTable]]:
        """The identity map, and every table: each is a step for the listener."""
        refresh = self.refresh(state)
        identity = refresh.refresh_identity()
        listener.advances("user_identity")
        refreshed: dict[str, RefreshedTable] = {}
        for table in self.tables:
            refreshed[table] = _refresh(refresh, table)
            listener.advances(table)
        return identity, refreshed

    def refresh(self, state: PipelineState) -> Refresh:
        """The steps that bring the file to the state."""
        effective = EffectiveDumps(self.lake, state)
        return Refresh(self.connection, effective, _Forgetting(), self.now, pins=self.pins)

    def explain(
        self, state: PipelineState, first: int, last: int, listener: Listener
    ) -> tuple[IdentityDifference, list[TableDifference]]:
        """What the dumps after `first` changed, up to `last`, as if each had been synced when it came.
        Each of them, and each table before them, is a step for the listener.
        """
        came = [dump_id for dump_id in state.records if first < dump_id <= last]
        listener.starts("comparing", 1 + len(self.tables) + len(came))
        identity, tables = self.fill(as_of(state, first), listener)
        identities = [identity]
        shapes = {table: _shape(refreshed) for table, refreshed in tables.items()}
        total = {
            table: Difference(each.rows, rows_after=each.rows) for table, each in shapes.items()
        }
        changed: dict[str, list[DumpDifference]] = {table: [] for table in self.tables}
        for dump_id in came:
            refresh = self.refresh(as_of(state, dump_id))
            identities.append(refresh.refresh_identity())
            for table, refreshed in self._refresh_stale(refresh):
                after = _shape(refreshed)
                difference = difference_of(shapes[table], after, refreshed.audit)
                if difference != Difference(after.rows, rows_after=after.rows):
                    change = refreshed.audit.change
                    changed[table].append(DumpDifference(dump_id, change, difference))
                shapes[table] = after
            listener.advances(f"dump {dump_id}")
        facts = as_of(state, last).current_facts()
        return _identity_difference(identities), [
            TableDifference(
                table,
                reduce(Difference.then, (one.difference for one in changed[table]), total[table]),
                tuple(changed[table]),
                failed=facts[table].plan.failed,
                held=facts[table].plan.held,
                pending=facts[table].pending,
            )
            for table in self.tables
        ]

    def _refresh_stale(self, refresh: Refresh) -> Iterator[tuple[str, RefreshedTable]]:
        """Refresh the tables that are behind, as a pass would."""
        stale = read_applied(self.connection).stale_tables(refresh.effective.contents, self.pins)
        for table in self.tables:
            if table in stale:
                yield table, _refresh(refresh, table)


def _refresh(refresh: Refresh, table: str) -> RefreshedTable:
    with located(table=table):
        return refresh.refresh_table(table)


def _shape(refreshed: RefreshedTable) -> TableShape:
    return TableShape(refreshed.audit.rows_kept, tuple(refreshed.columns.values()))


def _identity_difference(refreshed: Sequence[RefreshedIdentity]) -> IdentityDifference:
    return IdentityDifference(
        resolved_before=refreshed[0].audit.users_resolved,
        resolved_after=refreshed[-1].audit.users_resolved,
        changed=sum(one.audit.users_changed for one in refreshed[1:]),
    )
