"""Brings the warehouse up to the effective dumps, one relation at a time, and evaluates its checks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.audits import TableAudit
from csq_assets.dataconnect.checks import Finding
from csq_assets.dataconnect.column_types import NO_PINS, Pins, TablePins
from csq_assets.dataconnect.tables import ALL_EVENTS, PROPERTY_DEFINITIONS, current_asset
from csq_assets.interruption import interruptible
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.pipeline.outcomes import Outcomes, RefreshedIdentity, RefreshedTable, Relations
from csq_assets.warehouse.applied_state import read_state, read_tables
from csq_assets.warehouse.columns import shown_types
from csq_assets.warehouse.definitions_table import refresh_property_definitions
from csq_assets.warehouse.engine import count
from csq_assets.warehouse.identity_refresh import read_identity, refresh_identity
from csq_assets.warehouse.meta import record_reports, record_unapplied_dumps
from csq_assets.warehouse.table_audit import audit_table
from csq_assets.warehouse.table_refresh import drop_table, refresh_table
from csq_assets.warehouse.type_audit import audit_types
from csq_assets.warehouse.views import complete_all_events

P = ParamSpec("P")
R = TypeVar("R")


def _interruptible(
    step: Callable[Concatenate["Refresh", P], R],
) -> Callable[Concatenate["Refresh", P], R]:
    @wraps(step)
    def run(refresh: "Refresh", *args: P.args, **kwargs: P.kwargs) -> R:
        return interruptible(
            lambda: step(refresh, *args, **kwargs), stop=refresh.connection.interrupt
        )

    return run


@dataclass(frozen=True, slots=True, eq=False)
class Refresh:
    """The steps of a refresh, each on its own. `now` is written as the time of applying.

    `documents` remember what is known of each relation: those of the lake do. `uses` gives, for an
    asset, the columns that others depend on, with those; `pins` are chosen types.
    """

    connection: DuckDBPyConnection
    effective: EffectiveDumps
    documents: Relations
    now: datetime
    uses: Callable[[str], Mapping[str, tuple[str, ...]]] = lambda _asset: {}
    pins: TablePins = field(default_factory=dict[str, Pins])

    @_interruptible
    def refresh_identity(self, *, rebuild: bool = False) -> RefreshedIdentity:
        """Bring `csq_meta.user_identity` up to date: every table builds on it.

        Raises StorageError where the migrations cannot be read; the map is unchanged.
        """
        audit = refresh_identity(self.connection, self.effective.migrations(), rebuild=rebuild)
        return self._outcomes.identity(audit)

    @_interruptible
    def evaluate_identity(self) -> tuple[Finding, ...]:
        """What the check finds in the map as it stands."""
        return self._outcomes.identity(read_identity(self.connection)).findings

    @_interruptible
    def refresh_table(self, table: str, *, rebuild: bool = False) -> RefreshedTable:
        """Bring one current table up to date, and its rows of `csq_meta.dumps`.

        Raises StorageError; the table is unchanged.
        """
        for other in read_tables(self.connection):
            # DuckDB cannot tell the two apart: the one that had the name until now is dropped.
            if other != table and other.lower() == table.lower():
                self._drop(other)
        audit = refresh_table(
            self.connection,
            table,
            self.effective.dumps(table),
            dump_rows=[row for row in self.effective.dump_rows if row.table_name == table],
            now=self.now,
            rebuild=rebuild,
            pins=self.pins.get(table, NO_PINS),
        )
        return self._finish(table, audit)

    @_interruptible
    def evaluate_table(self, table: str) -> tuple[Finding, ...]:
        """What the checks find in the table as it stands, over all its rows."""
        return self._finish(table, audit_table(self.connection, table)).findings

    @_interruptible
    def count_events(self) -> int:
        """The rows of `csq.all_events`."""
        complete_all_events(self.connection)
        return count(self.connection, f"SELECT count(*) FROM csq.{ALL_EVENTS}")

    @_interruptible
    def refresh_meta(self) -> None:
        """Bring the rest of `csq_meta` up to date: reports, property definitions, dumps that are in no
        table. Drop tables that no dump lists any more.

        Raises StorageError where property definitions cannot be read, after the rest is done.
        """
        listed, skips = self.effective.contents, self.effective.state.skips
        for table in read_tables(self.connection):
            if table not in listed and not skips(table):
                self._drop(table)
        record_unapplied_dumps(self.connection, self.effective.dump_rows)
        record_reports(self.connection, self.effective.report_rows())
        refresh_property_definitions(self.connection, self.effective.dumps(PROPERTY_DEFINITIONS))

    def types(self, schema: str, relation: str) -> Mapping[str, str]:
        """The columns that analysts see, each with its type; none where there is no such relation."""
        return shown_types(self.connection, schema, relation)

    def _drop(self, table: str) -> None:
        drop_table(self.connection, table)
        self.documents.forget_relation(current_asset(table))

    def _finish(self, table: str, audit: TableAudit) -> RefreshedTable:
        state, types = read_state(self.connection, table), audit_types(self.connection, table)
        return self._outcomes.table(table, state, audit, types)

    @property
    def _outcomes(self) -> Outcomes:
        return Outcomes(self.effective, self.documents, self.uses)
