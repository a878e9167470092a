"""Brings the warehouse up to the effective dumps, one relation at a time, and evaluates its checks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.audits import IdentityAudit, TableAudit
from csq_assets.dataconnect.checks import CurrentFacts, Finding, evaluate
from csq_assets.dataconnect.plan import TablePlan
from csq_assets.dataconnect.tables import ALL_EVENTS, PROPERTY_DEFINITIONS, key_columns
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.warehouse.applied_state import read_state, read_tables
from csq_assets.warehouse.definitions_table import refresh_property_definitions
from csq_assets.warehouse.engine import count
from csq_assets.warehouse.identity_refresh import read_identity, refresh_identity
from csq_assets.warehouse.meta import record_reports, record_unapplied_dumps
from csq_assets.warehouse.table_audit import audit_table
from csq_assets.warehouse.table_refresh import drop_table, refresh_table
from csq_assets.warehouse.views import complete_all_events


@dataclass(frozen=True, slots=True)
class RefreshedTable:
    """What a refresh did to one table, and what its checks found."""

    audit: TableAudit
    columns: Mapping[str, str]  # the newest manifest's, each with its name in DuckDB
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class RefreshedIdentity:
    """What a refresh did to the identity map, and what its check found."""

    audit: IdentityAudit
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Refresh:
    """The steps of a refresh, each on its own. `now` is written as the time of applying."""

    connection: DuckDBPyConnection
    effective: EffectiveDumps
    now: datetime

    def refresh_identity(self, *, rebuild: bool = False) -> RefreshedIdentity:
        """Bring `csq_meta.user_identity` up to date: every table builds on it.

        Raises StorageError where the migrations cannot be read; the map is unchanged.
        """
        audit = refresh_identity(self.connection, self.effective.migrations(), rebuild=rebuild)
        return RefreshedIdentity(audit, evaluate("user_identity", audit))

    def evaluate_identity(self) -> tuple[Finding, ...]:
        """What the check finds in the map as it stands."""
        return evaluate("user_identity", read_identity(self.connection))

    def refresh_table(self, table: str, *, rebuild: bool = False) -> RefreshedTable:
        """Bring one current table up to date, and its rows of `csq_meta.dumps`.

        Raises StorageError; the table is unchanged.
        """
        for other in read_tables(self.connection):
            # DuckDB cannot tell the two apart: the one that had the name until now is dropped.
            if other != table and other.lower() == table.lower():
                drop_table(self.connection, other)
        audit = refresh_table(
            self.connection,
            table,
            self.effective.dumps(table),
            dump_rows=[row for row in self.effective.dump_rows if row.table_name == table],
            now=self.now,
            rebuild=rebuild,
        )
        columns = self._columns(table)
        return RefreshedTable(audit, columns, self._evaluate_table(table, columns, audit))

    def evaluate_table(self, table: str) -> tuple[Finding, ...]:
        """What the checks find in the table as it stands, over all its rows."""
        audit = audit_table(self.connection, table)
        return self._evaluate_table(table, self._columns(table), audit)

    def count_events(self) -> int:
        """The rows of `csq.all_events`."""
        complete_all_events(self.connection)
        return count(self.connection, f"SELECT count(*) FROM csq.{ALL_EVENTS}")

    def refresh_meta(self) -> list[str]:
        """Bring the rest of `csq_meta` up to date: reports, property definitions, dumps that are in no
        table. Drop tables that no dump lists any more; gives their names.

        Raises StorageError where property definitions cannot be read, after the rest is done.
        """
        listed, skips = self.effective.contents, self.effective.state.skips
        dropped = [
            table
            for table in read_tables(self.connection)
            if table not in listed and not skips(table)
        ]
        for table in dropped:
            drop_table(self.connection, table)
        record_unapplied_dumps(self.connection, self.effective.dump_rows)
        record_reports(self.connection, self.effective.report_rows())
        refresh_property_definitions(self.connection, self.effective.dumps(PROPERTY_DEFINITIONS))
        return dropped

    def _columns(self, table: str) -> Mapping[str, str]:
        state = read_state(self.connection, table)
        return state.columns if state else {}

    def _evaluate_table(
        self, table: str, columns: Iterable[str], audit: TableAudit
    ) -> tuple[Finding, ...]:
        plan = self.effective.plans.get(table, TablePlan())
        return evaluate("current", _current_facts(table, columns, audit, plan))


def evaluate_gap(plan: TablePlan) -> tuple[Finding, ...]:
    """What `no_gap` finds, which needs no warehouse."""
    findings = evaluate("current", _current_facts("", (), TableAudit(""), plan))
    return tuple(finding for finding in findings if finding.check == "no_gap")


def _current_facts(
    table: str, columns: Iterable[str], audit: TableAudit, plan: TablePlan
) -> CurrentFacts:
    return CurrentFacts(bool(key_columns(table, columns)), audit, plan.gap, plan.held)
