"""What a pass did and what is left to do, as values to print or to serialize."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from csq_assets.dataconnect.check_registry import Finding, Severity
from csq_assets.dataconnect.dump_records import TableRecord
from csq_assets.dataconnect.intake import Work
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.plan import DumpStatus
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS, raw_asset, with_prefix
from csq_assets.errors import CsqError
from csq_assets.markdown import shown

if TYPE_CHECKING:
    import dagster as dg  # csq status does without


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

    @property
    def is_error(self) -> bool:
        """Whether it failed and needs action."""
        return not self.passed and self.severity == Severity.ERROR


@dataclass(frozen=True, slots=True)
class SyncSummary:
    """What a pass did. `checks` has every evaluation of it; `standing` the failing
    checks that an earlier pass evaluated."""

    dumps: tuple[DumpSummary, ...]
    checks: tuple[CheckSummary, ...]
    errors: tuple[str, ...]
    standing: tuple[CheckSummary, ...]
    waiting: tuple[int, ...]
    wait_reason: str

    @property
    def exit_code(self) -> int:
        """Source: contract.md, "Commands"."""
        if self.errors:
            return 1
        return 3 if any(check.is_error for check in (*self.checks, *self.standing)) else 0


def summarize_evaluation(evaluation: "dg.AssetCheckEvaluation") -> CheckSummary:
    return CheckSummary(
        asset=evaluation.asset_key.to_user_string(),
        check=evaluation.check_name,
        partition=evaluation.partition,
        passed=evaluation.passed,
        severity=evaluation.severity.value,
        description=shown(evaluation.description or ""),
    )


def summarize_finding(asset: str, finding: Finding, dump_id: int | None = None) -> CheckSummary:
    """Of the asset, or of its partition of that dump."""
    return CheckSummary(
        asset=asset,
        check=finding.check,
        partition=None if dump_id is None else str(dump_id),
        passed=finding.passed,
        severity=finding.severity.value,
        description=finding.description,
    )


def standing_checks(
    state: PipelineState,
    on_export: Iterable[tuple[str, Finding]],
    key_prefix: str,
) -> Iterator[CheckSummary]:
    """Every check that fails now: on the export, on the newest partitions, on current tables and on the
    identity map."""
    found = [
        *(summarize_finding(asset, finding) for asset, finding in on_export if not finding.passed),
        *(
            summarize_finding(raw_asset(one.table), one.finding, one.dump_id)
            for one in state.standing_findings()
        ),
        *(summarize_finding(asset, finding) for asset, finding in state.current_findings()),
    ]
    for one in found:
        yield replace(one, asset=with_prefix(one.asset, key_prefix))


def summarize_dumps(state: PipelineState, work: Iterable[Work]) -> Iterator[DumpSummary]:
    """The dumps that were worked on, and what became of their tables."""
    refused = state.catalog.names(state.skips).refused
    statuses = {table: plan.statuses() for table, plan in state.plans().items()}
    for one in work:
        record = state.records.get(one.dump_id)
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
