"""Brings the warehouse to what is in force, table by table, and has each judged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.checks import CurrentFacts, Finding, IdentityFacts, judge
from csq_assets.dataconnect.overview import Overview
from csq_assets.dataconnect.plan import TablePlan
from csq_assets.dataconnect.tables import (
    ALL_EVENTS,
    IDENTITY_ASSET,
    PROPERTY_DEFINITIONS,
    USER_MIGRATIONS,
    current_asset,
    key_columns,
)
from csq_assets.defs.in_force import InForce
from csq_assets.errors import StorageError
from csq_assets.lake.locations import Lake
from csq_assets.warehouse.applied_state import read_state
from csq_assets.warehouse.audit_facts import IdentityAudit, TableAudit
from csq_assets.warehouse.columns import shown_types
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.definitions_table import refresh_property_definitions
from csq_assets.warehouse.identity_refresh import read_identity, refresh_identity
from csq_assets.warehouse.meta import record_reports, record_unapplied_dumps
from csq_assets.warehouse.staleness import Applied, read_applied
from csq_assets.warehouse.table_audit import audit_table
from csq_assets.warehouse.table_refresh import drop_table, refresh_table


def find_stale(
    path: Path, lake: Lake, overview: Overview, *, wait_seconds: float
) -> tuple[str, ...] | None:
    """The tables whose current table, or what its checks say, is behind the lake; first seen first.

    An empty answer: only `csq_meta`, or a table that is to go. None: nothing is behind.
    Raises StorageError where another process holds the file for longer than `wait_seconds`.
    """
    in_force = InForce(lake, overview)
    applied = Applied({})
    if path.exists():
        with open_warehouse(path, read_only=True, wait_seconds=wait_seconds) as connection:
            applied = read_applied(connection)
    stale = applied.stale_tables(in_force.contents)
    behind = {table for table in stale if not overview.skips(table)}
    known = lake.documents.findings()
    behind |= {
        table
        for table, plan in in_force.plans.items()
        if _gap_told(known.get(current_asset(table), ())) != _gap_told(judge_gap(plan))
    }
    recorded_otherwise = {
        table
        for table in applied.stale_dump_rows(in_force.dump_rows())
        if table not in applied.contents or not overview.skips(table)
    }
    behind |= recorded_otherwise
    if not behind and applied.reports == frozenset(in_force.report_rows()):
        return None
    if USER_MIGRATIONS in behind:
        behind.update(in_force.plans)  # users may be others now, in every table
    return tuple(table for table in in_force.plans if table in behind)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did to one table, and what its checks found."""

    audit: TableAudit
    columns: Mapping[str, str]  # the newest manifest's, each with its name in DuckDB
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class IdentityRefreshed:
    """What a refresh did to the identity map, and what its check found."""

    audit: IdentityAudit
    findings: tuple[Finding, ...]


class Refreshing:
    """One pass over the warehouse, through one connection."""

    def __init__(self, connection: DuckDBPyConnection, lake: Lake, overview: Overview) -> None:
        self._connection = connection
        self._documents = lake.documents
        self._overview = overview
        self._in_force = InForce(lake, overview)
        self._before = read_applied(connection)
        self._dump_rows = self._in_force.dump_rows()
        self._findings = lake.documents.findings()
        self._unread: StorageError | None = None

    def refresh_identity(self, *, rebuild: bool = False) -> IdentityRefreshed:
        """Bring `csq_meta.user_identity` up to date: what every table builds on.

        Where the migrations cannot be read the map stays as it was, and `finish` tells.
        """
        migrations = self._in_force.migrations()
        try:
            audit = refresh_identity(self._connection, migrations, rebuild=rebuild)
        except StorageError as error:
            self._unread = error.at(table=USER_MIGRATIONS)
            audit = read_identity(self._connection)
        return IdentityRefreshed(audit, self._judge_identity(audit))

    def judge_identity(self) -> tuple[Finding, ...]:
        """What the check finds of the map as it stands."""
        return self._judge_identity(read_identity(self._connection))

    def refresh_table(self, table: str, *, now: datetime, rebuild: bool = False) -> Refreshed:
        """Bring one current table up to date. Raises StorageError, and the table is as before."""
        for other in self._before.contents:
            # DuckDB cannot tell the two apart: the one that has had the name goes first.
            if other != table and other.lower() == table.lower():
                self._drop(other)
        audit = refresh_table(
            self._connection,
            table,
            self._in_force.dumps(table),
            dump_rows=[row for row in self._dump_rows if row.table_name == table],
            now=now,
            rebuild=rebuild,
        )
        columns = self._columns(table)
        return Refreshed(audit, columns, self._judge_table(table, columns, audit))

    def judge_table(self, table: str) -> tuple[Finding, ...]:
        """What the checks find of the table as it stands, over all its rows."""
        audit = audit_table(self._connection, table)
        return self._judge_table(table, self._columns(table), audit)

    def count_events(self) -> int:
        """Rows of `csq.all_events`."""
        return self._connection.table(f"csq.{ALL_EVENTS}").count("*").fetchall()[0][0]

    def types(self, schema: str, relation: str) -> dict[str, str]:
        """The columns of a relation as analysts see them, with their types."""
        return shown_types(self._connection, schema, relation)

    def finish(self) -> None:
        """Drop what no dump lists any more, and write `csq_meta`: the last thing of a pass.

        Raises StorageError where something could not be read, after all the rest is done.
        """
        for table in self._before.contents:
            listed = table in self._in_force.contents or table == PROPERTY_DEFINITIONS
            if not listed and not self._overview.skips(table):
                self._drop(table)
        definitions = self._in_force.dumps(PROPERTY_DEFINITIONS)
        refresh_property_definitions(self._connection, definitions)
        record_unapplied_dumps(self._connection, self._dump_rows)
        record_reports(self._connection, self._in_force.report_rows())
        self.keep_findings()
        if self._unread is not None:
            raise self._unread

    def keep_findings(self) -> None:
        """Keep what the checks found, for `csq status`."""
        self._documents.save_findings(self._findings)

    def _columns(self, table: str) -> Mapping[str, str]:
        state = read_state(self._connection, table)
        return state.columns if state else {}

    def _drop(self, table: str) -> None:
        drop_table(self._connection, table)
        self._findings.pop(current_asset(table), None)

    def _judge_identity(self, audit: IdentityAudit) -> tuple[Finding, ...]:
        facts = IdentityFacts(
            pairs=audit.pairs,
            refused=audit.refused,
            refused_examples=audit.refused_examples,
            contested=audit.contested,
            contested_examples=audit.contested_examples,
            cycles=audit.cycles,
            cycle_examples=audit.cycle_examples,
        )
        findings = judge("user_identity", facts)
        self._remember(IDENTITY_ASSET, findings)
        return findings

    def _judge_table(
        self, table: str, columns: Iterable[str], audit: TableAudit
    ) -> tuple[Finding, ...]:
        plan = self._in_force.plans.get(table, TablePlan())
        findings = judge("current", _current_facts(table, columns, audit, plan))
        self._remember(current_asset(table), findings)
        return findings

    def _remember(self, asset: str, findings: Iterable[Finding]) -> None:
        failed = tuple(finding for finding in findings if not finding.passed)
        self._findings.pop(asset, None)
        if failed:
            self._findings[asset] = failed


def judge_gap(plan: TablePlan) -> tuple[Finding, ...]:
    """What `no_gap` finds, which needs no warehouse."""
    facts = _current_facts("", (), TableAudit(""), plan)
    return tuple(finding for finding in judge("current", facts) if finding.check == "no_gap")


def _gap_told(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(
        finding.description
        for finding in findings
        if finding.check == "no_gap" and not finding.passed
    )


def _current_facts(
    table: str, columns: Iterable[str], audit: TableAudit, plan: TablePlan
) -> CurrentFacts:
    return CurrentFacts(
        has_key=bool(key_columns(table, columns)),
        duplicated_keys=audit.duplicated_keys,
        judged_all=audit.judged_all,
        rows_delivered=audit.rows_delivered,
        rows_kept=audit.rows_kept,
        duplicates_dropped=audit.duplicates_total,
        users_merged=audit.merged_total,
        gap=plan.gap,
        held=plan.held,
    )
