"""The state of the pipeline from the lake alone: without Dagster, the answer is quick."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from csq_assets.aws import s3_client
from csq_assets.dataconnect.check_registry import Finding
from csq_assets.dataconnect.checks import evaluate_export
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.lake.locations import open_lake
from csq_assets.settings import Settings
from csq_assets.summary import CheckSummary, standing_checks


@dataclass(frozen=True, slots=True)
class TableStatus:
    """Dumps of one table by status. `rows` are those that its applied dumps delivered."""

    table: str
    applied: int
    failed: int
    held: int
    void: int
    newest_dump: int | None
    rows: int


@dataclass(frozen=True, slots=True)
class FailedTable:
    """A table of a dump that could not be decoded."""

    dump_id: int
    table: str
    error: str


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the pipeline. Times are ISO 8601 in UTC; None where no report gives them."""

    dumps_known: int
    dumps_taken: int
    last_sync: str | None
    last_sync_status: str | None
    next_sync: str | None
    tables: tuple[TableStatus, ...]
    failures: tuple[FailedTable, ...]
    refused: tuple[str, ...]
    failing_checks: tuple[CheckSummary, ...]


def read_status(settings: Settings) -> Status:
    """Read what the newest pass remembered.

    Raises StorageError or SettingsError where the lake cannot be read.
    """
    lake = open_lake(settings.lake_url, s3_client)
    state = PipelineState(lake.documents.catalog(), lake.ledger.records(), settings.skips)
    return summarize_state(state, lake.documents.findings(), datetime.now(UTC), settings.key_prefix)


def summarize_state(
    state: PipelineState, findings: Mapping[str, Iterable[Finding]], now: datetime, key_prefix: str
) -> Status:
    """The same of a state that was read; `findings` are the failing checks on current tables. Assets
    begin with `key_prefix`."""
    catalog = state.catalog
    newest = catalog.newest_report()
    on_export = evaluate_export(catalog, now)
    return Status(
        dumps_known=len(catalog.dumps()),
        dumps_taken=len(state.records),
        last_sync=_iso(newest.report.finish_time) if newest else None,
        last_sync_status=newest.report.status if newest else None,
        next_sync=_iso(newest.report.next_sync_at) if newest else None,
        tables=tuple(_table_statuses(state)),
        failures=tuple(
            FailedTable(dump_id, record.table, record.failure.error)
            for dump_id, record in state.failures()
            if record.failure
        ),
        refused=tuple(map(str, catalog.names(state.skips).refused.values())),
        failing_checks=tuple(standing_checks(state, on_export, findings, key_prefix)),
    )


def _table_statuses(state: PipelineState) -> Iterator[TableStatus]:
    for table, plan in state.plans().items():
        taken = {
            dump_id: record
            for dump_id, dump in state.records.items()
            if (record := dump.table(table)) is not None
        }
        contents = [taken[dump_id].content for dump_id in plan.apply]
        yield TableStatus(
            table=table,
            applied=len(plan.apply),
            failed=len(plan.failed),
            held=len(plan.held),
            void=len(plan.void),
            newest_dump=max((*plan.apply, *plan.held), default=None),
            rows=sum(content.rows for content in contents if content),
        )


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
