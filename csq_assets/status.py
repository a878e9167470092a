"""The state of the pipeline from the lake alone: without Dagster, the answer is quick."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from csq_assets.aws import s3_client
from csq_assets.dataconnect.checks import evaluate_export
from csq_assets.dataconnect.intake import decide
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.tables import with_prefix
from csq_assets.lake.locations import open_lake
from csq_assets.settings import Settings
from csq_assets.summary import CheckSummary, standing_checks


@dataclass(frozen=True, slots=True)
class TableStatus:
    """Dumps of one table by status; `pending` are known and not decoded yet. `delivered` are the rows
    that its applied dumps delivered, `rows` those of the current table as its last refresh left it,
    None before the first one.
    """

    table: str
    pending: int
    applied: int
    failed: int
    held: int
    void: int
    newest_dump: int | None
    delivered: int
    rows: int | None


@dataclass(frozen=True, slots=True)
class PendingDump:
    """A dump with tables that are not decoded yet, or not as they were delivered last."""

    dump_id: int
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FailedTable:
    """A table of a dump that could not be decoded."""

    dump_id: int
    table: str
    error: str


@dataclass(frozen=True, slots=True)
class FailedAsset:
    """A mart that could not be built, or a relation that could not be published."""

    asset: str
    error: str


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the pipeline. Times are ISO 8601 in UTC; None where no report gives them.

    The next pass decodes what is `pending`, but for dumps in `waiting`: `wait_reason` says why.
    """

    dumps_known: int
    dumps_taken: int
    dumps_pending: int
    last_sync: str | None
    last_sync_status: str | None
    next_sync: str | None
    tables: tuple[TableStatus, ...]
    pending: tuple[PendingDump, ...]
    waiting: tuple[int, ...]
    wait_reason: str
    failures: tuple[FailedTable, ...]
    failed_assets: tuple[FailedAsset, ...]
    refused: tuple[str, ...]
    failing_checks: tuple[CheckSummary, ...]


def read_status(settings: Settings) -> Status:
    """Read what the newest pass remembered.

    Raises StorageError or SettingsError where the lake cannot be read.
    """
    state = open_lake(settings.lake_url, s3_client).state(settings.skips)
    return summarize_state(state, datetime.now(UTC), settings.key_prefix)


def summarize_state(state: PipelineState, now: datetime, key_prefix: str) -> Status:
    """The same of a state that was read. Assets begin with `key_prefix`."""
    catalog = state.catalog
    newest = catalog.newest_report()
    on_export = evaluate_export(catalog, now)
    pending = tuple(_pending_dumps(state))
    intake = decide(catalog, state.records, (), now, skips=state.skips)
    return Status(
        dumps_known=len(catalog.dumps()),
        dumps_taken=len(state.records),
        dumps_pending=len(pending),
        last_sync=_iso(newest.report.finish_time) if newest else None,
        last_sync_status=newest.report.status if newest else None,
        next_sync=_iso(newest.report.next_sync_at) if newest else None,
        tables=tuple(_table_statuses(state)),
        pending=pending,
        waiting=intake.wait,
        wait_reason=intake.wait_reason,
        failures=tuple(
            FailedTable(dump_id, record.table, record.failure.error)
            for dump_id, record in state.failures()
            if record.failure
        ),
        failed_assets=tuple(
            FailedAsset(with_prefix(asset, key_prefix), problem)
            for asset, problem in state.problems()
        ),
        refused=tuple(map(str, catalog.names(state.skips).refused.values())),
        failing_checks=tuple(standing_checks(state, on_export, key_prefix)),
    )


def _table_statuses(state: PipelineState) -> Iterator[TableStatus]:
    pending = state.pending()
    for table, facts in state.current_facts().items():
        plan, relation = facts.plan, facts.relation
        records = [state.records[dump_id].table(table) for dump_id in plan.apply]
        yield TableStatus(
            table=table,
            pending=len(pending.get(table, ())),
            applied=len(plan.apply),
            failed=len(plan.failed),
            held=len(plan.held),
            void=len(plan.void),
            newest_dump=max((*plan.apply, *plan.held), default=None),
            delivered=sum(one.content.rows for one in records if one and one.content),
            rows=relation.rows if relation else None,
        )


def _pending_dumps(state: PipelineState) -> Iterator[PendingDump]:
    pending = state.pending()
    for dump_id in sorted({dump_id for dump_ids in pending.values() for dump_id in dump_ids}):
        tables = tuple(table for table, dump_ids in pending.items() if dump_id in dump_ids)
        yield PendingDump(dump_id, tables)


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
