"""States of a pipeline to report on, made of values."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from csq_assets.dataconnect.catalog import Catalog, Delivered, SeenManifest, SeenReport
from csq_assets.dataconnect.check_registry import Finding, Severity
from csq_assets.dataconnect.dump_records import Content, DumpRecord, Failure, TableRecord
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.relation import Relation
from csq_assets.dataconnect.sync_report import SyncReport
from csq_assets.dataconnect.tables import IDENTITY_ASSET, current_asset
from csq_assets.report.build import build_report
from csq_assets.report.content import Report
from csq_assets.settings import Settings

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
TRIED = NOW - timedelta(hours=1)
SETTINGS = Settings.from_environment(
    {
        "CSQ_EXPORT_URL": "s3://acme",
        "CSQ_LAKE_URL": "s3://lake",
        "CSQ_UI_URL": "http://dagster:3000",
    }
)


def day(number: int, hour: int = 5) -> datetime:
    """Of March 2026."""
    return datetime(2026, 3, number, hour, tzinfo=UTC)


def pending(table: str) -> TableRecord:
    return TableRecord(table, incremental=True, files=1)


def decoded(
    table: str, rows: int, *, full_resync: bool = False, findings: Iterable[Finding] = ()
) -> TableRecord:
    content = Content("sha", not full_resync, 1, rows, f"{table} {rows}")
    return TableRecord(table, not full_resync, 1, content, findings=tuple(findings))


def failed(table: str, error: str) -> TableRecord:
    return TableRecord(table, incremental=True, files=1, failure=Failure("sha", error, TRIED))


def drift(severity: Severity, text: str) -> Finding:
    return Finding("column_drift", passed=False, severity=severity, description=text)


def state_of(
    dumps: Sequence[Sequence[TableRecord]], reports: Sequence[SyncReport] = ()
) -> PipelineState:
    """Dumps 1, 2, …, delivered on as many days of March; all that they list is as it is given."""
    manifests = [
        SeenManifest(
            Delivered(f"manifests/{dump_id}.json", "", 1, day(1) + timedelta(days=dump_id - 1)),
            "sha",
            dump_id,
            tuple(record.table for record in records),
        )
        for dump_id, records in enumerate(dumps, 1)
    ]
    seen = [
        SeenReport(Delivered(f"sync_reports/{number}.json", "", 1, day(1)), report)
        for number, report in enumerate(reports, 1)
    ]
    records = {
        dump_id: DumpRecord(dump_id, "sha", tuple(listed))
        for dump_id, listed in enumerate(dumps, 1)
    }
    state = PipelineState(Catalog(tuple(manifests), tuple(seen)), records, lambda _table: False)
    return replace(state, relations={one.asset: one for one in _relations(state)})


def _relations(state: PipelineState) -> Iterator[Relation]:
    """Tables as a refresh leaves them, where no row replaces another; six users are merged."""
    yield Relation(IDENTITY_ASSET, 6)
    for table, plan in state.plans().items():
        taken = [state.records[dump_id].table(table) for dump_id in plan.apply]
        rows = sum(record.content.rows for record in taken if record and record.content)
        yield Relation(current_asset(table), rows, max(plan.apply, default=None))


def report_on(state: PipelineState) -> Report:
    return build_report(SETTINGS, state, NOW)
