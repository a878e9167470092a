"""Makes the report of what the lake remembers: values in, values out."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from csq_assets.dataconnect.catalog import SeenReport
from csq_assets.dataconnect.check_registry import Severity
from csq_assets.dataconnect.checks import REGISTRY
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.tables import (
    IDENTITY_ASSET,
    USER_MIGRATIONS,
    current_asset,
    raw_asset,
    with_prefix,
)
from csq_assets.report.content import (
    Concern,
    Dump,
    Excerpt,
    Remark,
    Report,
    Sync,
    TableDump,
    TableDumpStatus,
    TableHistory,
)
from csq_assets.settings import Settings
from csq_assets.status import Status, summarize_state

SYNCS_SHOWN = DUMPS_SHOWN = 60
TABLES_SHOWN = 40
CONCERNS_SHOWN = DRIFTS_SHOWN = 20
T = TypeVar("T")


def build_report(settings: Settings, state: PipelineState, now: datetime) -> Report:
    """What the lake remembers, as far as a page can show it."""
    status = summarize_state(state, now, settings.key_prefix)
    concerns = sorted(
        _concerns(state, status, settings.key_prefix),
        key=lambda one: one.severity != Severity.ERROR,
    )
    errors = sum(one.severity == Severity.ERROR for one in concerns)
    every = sorted(_table_dumps(state), key=lambda one: one.dump_id)
    dumps = [_dump(*group) for group in groupby(every, key=lambda one: one.dump_id)]
    shown = {dump.dump_id for dump in dumps[-DUMPS_SHOWN:]}
    histories: dict[str, list[TableDump]] = {table.table: [] for table in status.tables}
    for one in every:
        if one.dump_id in shown:
            histories[one.table].append(one)
    tables = [TableHistory(table, tuple(histories[table.table])) for table in status.tables]
    newest = state.catalog.newest_report()
    identity = state.relations.get(IDENTITY_ASSET)
    return Report(
        made_at=now,
        export_url=settings.export_url,
        lake_url=settings.lake_url,
        ui_url=settings.ui_url,
        dumps_known=status.dumps_known,
        dumps_pending=status.dumps_pending,
        waiting=status.waiting,
        wait_reason=status.wait_reason,
        rows=sum(table.rows or 0 for table in status.tables),
        users_merged=(identity.rows or 0) if identity else 0,
        errors=errors,
        warnings=len(concerns) - errors,
        next_sync=newest.report.next_sync_at if newest else None,
        concerns=_first(concerns, CONCERNS_SHOWN),
        syncs=_last(sorted(map(_sync, state.catalog.reports), key=lambda one: one.at), SYNCS_SHOWN),
        dumps=_last(dumps, DUMPS_SHOWN),
        tables=_first(sorted(tables, key=_by_importance), TABLES_SHOWN),
        drifts=_first([one for one in reversed(every) if one.drift], DRIFTS_SHOWN),
        migrations=tuple(histories.get(USER_MIGRATIONS, ())),
    )


def _concerns(state: PipelineState, status: Status, key_prefix: str) -> Iterator[Concern]:
    remarks: dict[str, list[Remark]] = {}
    for dump_id, record in state.failures():
        if failure := record.failure:
            remark = Remark(Severity.ERROR, "failed", failure.error, "", dump_id, failure.at)
            remarks.setdefault(record.table, []).append(remark)
    for table, error in state.catalog.names(state.skips).refused.items():
        remarks.setdefault(table, []).append(Remark(Severity.ERROR, "refused", str(error)))
    for asset in status.failed_assets:
        remarks[asset.asset] = [Remark(Severity.ERROR, "failed", asset.error)]
    tables = {
        with_prefix(asset, key_prefix): table.table
        for table in status.tables
        for asset in (raw_asset(table.table), current_asset(table.table))
    }
    for one in status.failing_checks:
        if one.check == "complete" and one.is_error:
            continue  # what failed is told already, and what is held by no_gap
        remark = Remark(
            Severity(one.severity),
            one.check,
            one.description,
            REGISTRY[one.check].remedy if one.check in REGISTRY else "",
            int(one.partition) if one.partition else None,
        )
        remarks.setdefault(tables.get(one.asset, one.asset), []).append(remark)
    for place, found in remarks.items():
        yield Concern(place, tuple(found))


def _sync(seen: SeenReport) -> Sync:
    report = seen.report
    start, finish = report.start_time, report.finish_time
    return Sync(
        name=seen.object.key.rpartition("/")[2],
        status=report.status or ("unreadable" if seen.problem else "no status"),
        succeeded=report.succeeded,
        at=seen.age_key[0],
        duration=finish - start if start and finish else None,
        error=seen.problem or report.error,
    )


def _table_dumps(state: PipelineState) -> Iterator[TableDump]:
    """Every table of every dump that is known, in the order of tables."""
    delivered = {dump_id: seen.object.modified for dump_id, seen in state.catalog.dumps().items()}
    pending = state.pending()
    for table, facts in state.current_facts().items():
        statuses: dict[int, TableDumpStatus] = {**facts.plan.statuses()}
        statuses |= dict.fromkeys(pending.get(table, ()), "pending")
        for dump_id, status in statuses.items():
            taken = state.records.get(dump_id)
            record = taken.table(table) if taken else None
            content = record.content if record else None
            findings = record.findings if record else ()
            yield TableDump(
                dump_id=dump_id,
                table=table,
                delivered=delivered.get(dump_id),
                incremental=content is None or content.incremental,
                rows=content.rows if content else 0,
                status=status,
                drift=next((one for one in findings if one.check == "column_drift"), None),
            )


def _dump(dump_id: int, tables: Iterable[TableDump]) -> Dump:
    taken = tuple(tables)
    drifts = [one.drift.severity for one in taken if one.drift]
    return Dump(
        dump_id=dump_id,
        delivered=taken[0].delivered,
        rows_of_increments=sum(one.rows for one in taken if one.incremental),
        rows_of_full_resyncs=sum(one.rows for one in taken if not one.incremental),
        tables_failed=sum(one.status == "failed" for one in taken),
        tables_widened=drifts.count(Severity.WARN),
        tables_broken=drifts.count(Severity.ERROR),
    )


def _by_importance(table: TableHistory) -> tuple[bool, bool, int]:
    status = table.status
    return not (status.failed or status.held), not status.pending, -(status.rows or 0)


def _first(items: Sequence[T], limit: int) -> Excerpt[T]:
    return Excerpt(tuple(items[:limit]), max(0, len(items) - limit))


def _last(items: Sequence[T], limit: int) -> Excerpt[T]:
    return Excerpt(tuple(items[-limit:]), max(0, len(items) - limit))
