"""`csq_sync_reports`: watches the export, registers partitions, has runs requested."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster._core.definitions.target import ExecutableDefinition

from csq_assets.dataconnect.intake import Rules, Work, decide
from csq_assets.dataconnect.ledger import Failure
from csq_assets.dataconnect.overview import Overview
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.defs.external_assets import discovery_events
from csq_assets.defs.keys import CSQ_DUMPS, UNFINISHED, partition_key
from csq_assets.defs.refreshing import find_stale
from csq_assets.defs.requests import (
    DUMPS_PER_RUN,
    RETRY_AFTER,
    Cursor,
    Request,
    ask_for_dumps,
    ask_for_refresh,
    open_work,
)
from csq_assets.defs.resources import ExportResource, LakeResource, WarehouseResource
from csq_assets.errors import CsqError, StorageError
from csq_assets.lake.decoding import Decoding
from csq_assets.lake.discovery import discover
from csq_assets.lake.export import Export
from csq_assets.lake.locations import Lake
from csq_assets.settings import Settings

SENSOR = "csq_sync_reports"
INTERVAL_SECONDS = 30


def build_sync_reports_sensor(
    settings: Settings, tables: Sequence[str], jobs: Sequence[ExecutableDefinition]
) -> dg.SensorDefinition:
    """The sensor; `tables` are those that this code location has assets for."""
    with_assets = {*tables, PROPERTY_DEFINITIONS}

    @dg.sensor(
        name=SENSOR,
        jobs=jobs,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks for new sync reports and manifests, has new dumps decoded, then the "
        "current tables refreshed.",
    )
    def csq_sync_reports(
        context: dg.SensorEvaluationContext,
        export: ExportResource,
        lake: LakeResource,
        warehouse: WarehouseResource,
    ) -> dg.SensorResult | dg.SkipReason:
        try:
            return _tick(
                context, export.open(), lake.open(), Path(warehouse.database), settings, with_assets
            )
        except CsqError as error:
            return dg.SkipReason(str(error))

    return csq_sync_reports


def _tick(
    context: dg.SensorEvaluationContext,
    export: Export,
    lake: Lake,
    warehouse: Path,
    settings: Settings,
    with_assets: set[str],
) -> dg.SensorResult:
    now = _now()
    discovery = discover(export, lake.documents)
    records = lake.documents.records()
    rules = Rules(settings.skips, lambda failure: _worth_a_try(failure, export, now))
    intake = decide(discovery.catalog, records, lake.store.partitions(), now, rules)
    _take_empty(intake.take, lambda: Decoding(export, lake, lambda: now))

    contents = {dump_id: seen.content for dump_id, seen in discovery.catalog.dumps().items()}
    due = [work for work in intake.take if work.tables]
    before = Cursor.read(context.cursor)
    cursor = Cursor(_only_due(before.dumps, due), before.refresh)
    ready = [
        Work(work.dump_id, tuple(table for table in work.tables if table in with_assets))
        for work in open_work(due, cursor.dumps, contents, records, now)
    ]
    ready = [work for work in ready if work.tables][:DUMPS_PER_RUN]
    said = [intake.wait_reason] if intake.wait else []
    if unknown := {table for work in due for table in work.tables} - with_assets:
        names = ", ".join(sorted(unknown))
        said.append(f"new tables: {names}. Reload the code location to give them assets")

    request = None
    if _in_flight(context.instance):
        said.append("a run is under way; what else is due is asked for when it is done")
    elif ready:
        request, cursor = ask_for_dumps(ready, cursor, contents, now)
    else:
        overview = Overview(discovery.catalog, lake.documents.records(), settings.skips)
        try:
            stale = find_stale(warehouse, lake, overview, wait_seconds=0)
        except StorageError as error:
            said.append(str(error))
        else:
            stale = None if stale is None else tuple(one for one in stale if one in with_assets)
            request, cursor = ask_for_refresh(stale, cursor, now)
    return dg.SensorResult(
        run_requests=[request] if request else [],
        skip_reason=None if request else "; ".join(said) or "nothing new",
        cursor=cursor.write(),
        dynamic_partitions_requests=_partition_requests(context.instance, contents),
        asset_events=discovery_events(context.instance, discovery, now),
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _worth_a_try(failure: Failure, export: Export, now: datetime) -> bool:
    """When the file at fault has changed, or else hourly."""
    if now - failure.at >= RETRY_AFTER:
        return True
    if failure.file is None:
        return False
    try:
        return export.file_state(failure.file) != failure.file_state
    except CsqError:
        return False


def _take_empty(take: Iterable[Work], start: Callable[[], Decoding]) -> None:
    """A dump in which nothing is to be decoded needs no run."""
    empty = [work for work in take if not work.tables]
    if empty:
        decoding = start()
        for work in empty:
            decoding.take(work.dump_id)


def _only_due(asked: Mapping[int, Request], due: Iterable[Work]) -> dict[int, Request]:
    return {work.dump_id: asked[work.dump_id] for work in due if work.dump_id in asked}


def _in_flight(instance: dg.DagsterInstance) -> bool:
    ours = dg.RunsFilter(tags={"dagster/sensor_name": SENSOR}, statuses=UNFINISHED)
    return bool(instance.get_runs(ours, limit=1))


def _partition_requests(
    instance: dg.DagsterInstance, dump_ids: Iterable[int]
) -> list[dg.AddDynamicPartitionsRequest]:
    known = set(instance.get_dynamic_partitions(CSQ_DUMPS.name or ""))
    new = [key for key in map(partition_key, dump_ids) if key not in known]
    return [CSQ_DUMPS.build_add_request(new)] if new else []
