"""Brings the warehouse up to the effective dumps, one relation at a time, and evaluates its checks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.audits import IdentityAudit, TableAudit
from csq_assets.dataconnect.checks import CurrentFacts, Finding, RowFacts, evaluate
from csq_assets.dataconnect.column_types import NO_PINS, Pins, TablePins
from csq_assets.dataconnect.plan import TablePlan
from csq_assets.dataconnect.relation import Relation, without
from csq_assets.dataconnect.tables import (
    ALL_EVENTS,
    IDENTITY_ASSET,
    PROPERTY_DEFINITIONS,
    current_asset,
    key_columns,
)
from csq_assets.interruption import interruptible
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.warehouse.applied_state import TableState, read_state, read_tables
from csq_assets.warehouse.definitions_table import refresh_property_definitions
from csq_assets.warehouse.engine import count
from csq_assets.warehouse.identity_refresh import read_identity, refresh_identity
from csq_assets.warehouse.meta import record_reports, record_unapplied_dumps
from csq_assets.warehouse.table_audit import audit_table
from csq_assets.warehouse.table_refresh import drop_table, refresh_table
from csq_assets.warehouse.type_audit import audit_types
from csq_assets.warehouse.views import complete_all_events


@dataclass(frozen=True, slots=True)
class RefreshedTable:
    """What a refresh did to one table, and what its checks found."""

    audit: TableAudit
    columns: Mapping[str, str]  # the newest manifest's, each with its name in DuckDB
    facts: CurrentFacts
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class RefreshedIdentity:
    """What a refresh did to the identity map, and what its check found."""

    audit: IdentityAudit
    findings: tuple[Finding, ...]


class Relations(Protocol):
    """What is remembered of each relation, by asset."""

    def relation(self, asset: str) -> Relation | None: ...

    def save_relation(self, relation: Relation) -> None: ...

    def forget_relation(self, asset: str) -> None: ...


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
        return RefreshedIdentity(audit, self._evaluate_identity(audit))

    @_interruptible
    def evaluate_identity(self) -> tuple[Finding, ...]:
        """What the check finds in the map as it stands."""
        return self._evaluate_identity(read_identity(self.connection))

    def _evaluate_identity(self, audit: IdentityAudit) -> tuple[Finding, ...]:
        findings = evaluate("user_identity", audit)
        relation = Relation(IDENTITY_ASSET, audit.users_resolved, findings=_failed(findings))
        self.documents.save_relation(relation)
        return findings

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

    def _drop(self, table: str) -> None:
        drop_table(self.connection, table)
        self.documents.forget_relation(current_asset(table))

    def _finish(self, table: str, audit: TableAudit) -> RefreshedTable:
        """Evaluate the checks on the table as it stands, and remember what is known of it."""
        state = read_state(self.connection, table)
        columns = state.columns if state else {}
        types = audit_types(self.connection, table)
        findings = evaluate("rows", RowFacts(bool(key_columns(table, columns)), audit, types))
        relation = self._remember(table, state, audit.rows_kept, findings)
        facts = self.effective.facts.get(table) or CurrentFacts(TablePlan())
        facts = replace(facts, relation=relation)
        return RefreshedTable(audit, columns, facts, (*findings, *evaluate("current", facts)))

    def _remember(
        self, table: str, state: TableState | None, rows: int, findings: tuple[Finding, ...]
    ) -> Relation | None:
        asset = current_asset(table)
        if state is None:
            self.documents.forget_relation(asset)
            return None
        known = self.documents.relation(asset)
        columns = tuple(state.columns.values())
        before = (column for dump in state.dumps[-2:-1] for column in state.shown(dump.columns))
        relation = Relation(
            asset,
            rows,
            state.dumps[-1].dump_id,
            columns,
            removed=without(before, columns),
            findings=_failed(findings),
        ).after(known)
        if relation.gone:
            relation = relation.with_uses(self.uses(asset))
        if relation != known:
            self.documents.save_relation(relation)
        return relation


def _failed(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(finding for finding in findings if not finding.passed)
