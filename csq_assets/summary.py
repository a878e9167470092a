"""What a pass did and what is left, as values that print and serialise."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from csq_assets.dataconnect.findings import Finding
from csq_assets.dataconnect.intake import Work
from csq_assets.dataconnect.ledger import TableRecord
from csq_assets.dataconnect.overview import Overview
from csq_assets.dataconnect.plan import DumpStatus
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS, raw_asset
from csq_assets.errors import CsqError


@dataclass(frozen=True, slots=True)
class TableSummary:
    """One table of one dump. `rows` are those in the lake."""

    table: str
    incremental: bool
    files: int
    rows: int
    status: DumpStatus
    error: str | None


@dataclass(frozen=True, slots=True)
class DumpSummary:
    """One dump, with those of its tables that were worked on."""

    dump_id: int
    tables: tuple[TableSummary, ...]


@dataclass(frozen=True, slots=True)
class CheckSummary:
    """One evaluation; `partition` is None for an asset that has none."""

    asset: str
    check: str
    partition: str | None
    passed: bool
    severity: str
    description: str


@dataclass(frozen=True, slots=True)
class SyncSummary:
    """What a pass did. `standing` are the checks of severity ERROR that do not pass as things are,
    whether they were evaluated in this pass or before."""

    dumps: tuple[DumpSummary, ...]
    checks: tuple[CheckSummary, ...]
    errors: tuple[str, ...]
    standing: tuple[CheckSummary, ...]
    waiting: tuple[int, ...]
    wait_reason: str

    @property
    def exit_code(self) -> int:
        """Source: contract.md, "Commands"."""
        return 1 if self.errors else 3 if self.standing else 0


def summarize_check(asset: str, finding: Finding, partition: int | None) -> CheckSummary:
    return CheckSummary(
        asset=asset,
        check=finding.check,
        partition=None if partition is None else str(partition),
        passed=finding.passed,
        severity=finding.severity.value,
        description=finding.description,
    )


def standing_checks(
    overview: Overview,
    on_export: Iterable[tuple[str, Finding]],
    on_current: Mapping[str, Iterable[Finding]],
) -> Iterator[CheckSummary]:
    """Every check that does not pass as things are: on the export, on the newest partitions, and on
    what was last refreshed."""
    for asset, finding in on_export:
        if not finding.passed:
            yield summarize_check(asset, finding, None)
    for one in overview.standing_findings():
        yield summarize_check(raw_asset(one.table), one.finding, one.dump_id)
    for asset, findings in on_current.items():
        yield from (summarize_check(asset, finding, None) for finding in findings)


def summarize_dumps(
    overview: Overview, work: Iterable[Work], refused: Mapping[str, CsqError]
) -> Iterator[DumpSummary]:
    """The dumps that were worked on, by what has become of their tables."""
    statuses = {table: plan.statuses() for table, plan in overview.plans().items()}
    for one in work:
        record = overview.records.get(one.dump_id)
        listed = record.tables if record else ()
        yield DumpSummary(
            one.dump_id,
            tuple(
                _summarize_table(
                    table, statuses.get(table.table, {}).get(one.dump_id), refused.get(table.table)
                )
                for table in listed
                if table.table in (*one.tables, *refused) and table.table != PROPERTY_DEFINITIONS
            ),
        )


def _summarize_table(
    record: TableRecord, status: DumpStatus | None, refused: CsqError | None
) -> TableSummary:
    failure = str(refused) if refused else record.failure.error if record.failure else None
    return TableSummary(
        table=record.table,
        incremental=record.incremental,
        files=record.files,
        rows=record.content.rows if record.content else 0,
        status=status or "failed",
        error=failure,
    )
