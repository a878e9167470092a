"""Makes the report of what the lake remembers: values in, values out."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import TypeVar

from csq_assets.dataconnect.catalog import SeenReport
from csq_assets.dataconnect.check_registry import Severity
from csq_assets.dataconnect.checks import REGISTRY
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.tables import USER_MIGRATIONS
from csq_assets.report.content import (
    Concern,
    Dump,
    Excerpt,
    Report,
    Sync,
    TableDump,
    TableHistory,
)
from csq_assets.settings import Settings
from csq_assets.status import Status, summarize_state

SYNCS_SHOWN = DUMPS_SHOWN = 60
TABLES_SHOWN = 40
CONCERNS_SHOWN = DRIFTS_SHOWN = 20
T = TypeVar("T")


def build_report(
    settings: Settings, state: PipelineState, users_merged: int | None, now: datetime
) -> Report:
    status = summarize_state(state, now, settings.key_prefix)
    concerns = sorted(_concerns(state, status), key=lambda one: one.severity != Severity.ERROR)
    errors = sum(one.severity == Severity.ERROR for one in concerns)
    taken = sorted(_table_dumps(state), key=lambda one: one.dump_id)
    dumps = _last(
        [_dump(*group) for group in groupby(taken, key=lambda one: one.dump_id)], DUMPS_SHOWN
    )
    shown = {dump.dump_id for dump in dumps.shown}
    histories: dict[str, list[TableDump]] = {table.table: [] for table in status.tables}
    for one in taken:
        if one.dump_id in shown:
            histories[one.table].append(one)
    tables = [TableHistory(table, tuple(histories[table.table])) for table in status.tables]
    newest = state.catalog.newest_report()
    return Report(
        made_at=now,
        export_url=settings.export_url,
        lake_url=settings.lake_url,
        dumps_known=status.dumps_known,
        rows=sum(table.rows or 0 for table in status.tables),
        errors=errors,
        warnings=len(concerns) - errors,
        next_sync=newest.report.next_sync_at if newest else None,
        concerns=_first(concerns, CONCERNS_SHOWN),
        syncs=_last(sorted(map(_sync, state.catalog.reports), key=lambda one: one.at), SYNCS_SHOWN),
        dumps=dumps,
        tables=_first(sorted(tables, key=_by_importance), TABLES_SHOWN),
        drifts=_first([one for one in reversed(taken) if one.drift], DRIFTS_SHOWN),
        migrations=tuple(histories.get(USER_MIGRATIONS, ())),
        users_merged=users_merged,
    )


def _concerns(state: PipelineState, status: Status) -> Iterator[Concern]:
    for dump_id, record in state.failures():
        if record.failure:
            place = f"{record.table}, dump {dump_id}"
            error, tried_at = record.failure.error, record.failure.at
            yield Concern(Severity.ERROR, "failed", place, error, tried_at=tried_at)
    for table, error in state.catalog.names(state.skips).refused.items():
        yield Concern(Severity.ERROR, "refused", table, str(error))
    for one in status.failing_checks:
        if one.check == "complete" and one.is_error:
            continue  # what failed is told already, and what is held by no_gap
        place = f"{one.asset}, dump {one.partition}" if one.partition else one.asset
        remedy = REGISTRY[one.check].remedy if one.check in REGISTRY else ""
        yield Concern(Severity(one.severity), one.check, place, one.description, remedy)


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
    """Every table of every dump that was tried, in the order of tables."""
    delivered = {dump_id: seen.object.modified for dump_id, seen in state.catalog.dumps().items()}
    for table, plan in state.plans().items():
        for dump_id, status in plan.statuses().items():
            record = state.records[dump_id].table(table)
            if record is not None:
                content = record.content
                yield TableDump(
                    dump_id=dump_id,
                    table=table,
                    delivered=delivered.get(dump_id),
                    incremental=content.incremental if content else record.incremental,
                    rows=content.rows if content else 0,
                    status=status,
                    drift=next(
                        (one for one in record.findings if one.check == "column_drift"), None
                    ),
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


def _by_importance(table: TableHistory) -> tuple[bool, int]:
    return table.is_complete, -(table.status.rows or 0)


def _first(items: Sequence[T], limit: int) -> Excerpt[T]:
    return Excerpt(tuple(items[:limit]), max(0, len(items) - limit))


def _last(items: Sequence[T], limit: int) -> Excerpt[T]:
    return Excerpt(tuple(items[-limit:]), max(0, len(items) - limit))
