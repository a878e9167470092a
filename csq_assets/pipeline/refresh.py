"""Brings the warehouse up to the effective dumps, one relation at a time, and evaluates its checks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.checks import CurrentFacts, Finding, IdentityFacts, evaluate
from csq_assets.dataconnect.plan import TablePlan
from csq_assets.dataconnect.tables import ALL_EVENTS, PROPERTY_DEFINITIONS, key_columns
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.warehouse.audit import IdentityAudit, TableAudit
from csq_assets.warehouse.current import drop_table, refresh_table
from csq_assets.warehouse.definitions_table import refresh_property_definitions
from csq_assets.warehouse.engine import count
from csq_assets.warehouse.identity import read_identity, refresh_identity
from csq_assets.warehouse.judging import judge_table as audit_table
from csq_assets.warehouse.meta import record_dumps, record_reports
from csq_assets.warehouse.staleness import read_applied

def applied_tables(connection):
    return list(read_applied(connection).contents)

def record_unapplied_dumps(connection, rows):
    record_dumps(connection, rows)



@dataclass(frozen=True, slots=True)
class RefreshedTable:
    """What a refresh did to one table, and what its checks found."""

    audit: TableAudit
    columns: tuple[str, ...]  # the newest manifest's
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
        return RefreshedIdentity(audit, _evaluate_identity(audit))

    def evaluate_identity(self) -> tuple[Finding, ...]:
        """What the check finds in the map as it stands."""
        return _evaluate_identity(read_identity(self.connection))

    def refresh_table(self, table: str, *, rebuild: bool = False) -> RefreshedTable:
        """Bring one current table up to date, and its rows of `csq_meta.dumps`.

        Raises StorageError; the table is unchanged.
        """
        for other in applied_tables(self.connection):
            # DuckDB cannot tell the two apart: the one that had the name until now is dropped.
            if other != table and other.lower() == table.lower():
                drop_table(self.connection, other)
        dumps = self.effective.dumps(table)
        audit = refresh_table(
            self.connection,
            table,
            dumps,
            rebuild=rebuild,
        )
        columns = dumps[-1].columns if dumps else ()
        return RefreshedTable(audit, columns, self._evaluate_table(table, columns, audit))

    def evaluate_table(self, table: str) -> tuple[Finding, ...]:
        """What the checks find in the table as it stands, over all its rows."""
        dumps = self.effective.dumps(table)
        columns = dumps[-1].columns if dumps else ()
        return self._evaluate_table(table, columns, audit_table(self.connection, table))

    def count_events(self) -> int:
        """The rows of `csq.all_events`."""
        return count(self.connection, f"SELECT count(*) FROM csq.{ALL_EVENTS}")

    def refresh_meta(self) -> list[str]:
        """Bring the rest of `csq_meta` up to date: reports, property definitions, dumps that are in no
        table. Drop tables that no dump lists any more; gives their names.

        Raises StorageError where property definitions cannot be read, after the rest is done.
        """
        state = self.effective.state
        dropped = [
            table
            for table in applied_tables(self.connection)
            if table not in {*self.effective.contents, PROPERTY_DEFINITIONS}
            and not state.skips(table)
        ]
        for table in dropped:
            drop_table(self.connection, table)
        rows = self.effective.dump_rows
        record_unapplied_dumps(self.connection, [row for some in rows.values() for row in some])
        record_reports(self.connection, self.effective.report_rows())
        refresh_property_definitions(self.connection, self.effective.dumps(PROPERTY_DEFINITIONS))
        return dropped

    def _evaluate_table(
        self, table: str, columns: Iterable[str], audit: TableAudit
    ) -> tuple[Finding, ...]:
        plan = self.effective.plans.get(table, TablePlan())
        return evaluate("current", _current_facts(table, columns, audit, plan))


def evaluate_gap(plan: TablePlan) -> tuple[Finding, ...]:
    """What `no_gap` finds, which needs no warehouse."""
    findings = evaluate("current", _current_facts("", (), TableAudit(""), plan))
    return tuple(finding for finding in findings if finding.check == "no_gap")


def _evaluate_identity(audit: IdentityAudit) -> tuple[Finding, ...]:
    facts = IdentityFacts(
        pairs=audit.pairs,
        refused=audit.refused,
        refused_examples=audit.refused_examples,
        contested=audit.contested,
        contested_examples=audit.contested_examples,
        cycles=audit.cycles,
        cycle_examples=audit.cycle_examples,
    )
    return evaluate("user_identity", facts)


def _current_facts(
    table: str, columns: Iterable[str], audit: TableAudit, plan: TablePlan
) -> CurrentFacts:
    return CurrentFacts(
        has_key=bool(key_columns(table, columns)),
        duplicated_keys=audit.duplicated_keys,
        audited_all=audit.judged_all,
        rows_delivered=audit.rows_delivered,
        rows_kept=audit.rows_kept,
        duplicates_dropped=audit.duplicates_total,
        users_merged=audit.merged_total,
        gap=plan.gap,
        held=plan.held,
    )
