"""`csq_sync_reports`: watches the export, registers partitions, requests runs."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from pydantic import TypeAdapter, ValidationError

from csq_assets.dataconnect.intake import Rules, Work, decide
from csq_assets.dataconnect.ledger import DumpRecord, Failure
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.defs.external_assets import discovery_events
from csq_assets.defs.keys import CSQ_DUMPS, UNFINISHED, partition_key, raw_key
from csq_assets.defs.raw_assets import RAW_JOB, decode_config
from csq_assets.defs.resources import ExportResource, LakeResource
from csq_assets.errors import CsqError
from csq_assets.lake.decoding import Decoding
from csq_assets.lake.discovery import discover
from csq_assets.lake.export import Export
from csq_assets.lake.locations import Lake
from csq_assets.settings import Settings

SENSOR = "csq_sync_reports"
RETRY_AFTER = timedelta(hours=1)
DUMPS_PER_RUN = 100
INTERVAL_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Request:
    """The newest run request for a dump. It stays in the cursor until nothing of it is due."""

    content: str  # of the manifest
    tables: tuple[str, ...]
    at: datetime
    attempt: int


_CURSOR = TypeAdapter(dict[int, Request])


def build_sync_reports_sensor(settings: Settings, tables: Sequence[str]) -> dg.SensorDefinition:
    """The sensor; `tables` are those that this code location has assets for."""
    with_assets = {*tables, PROPERTY_DEFINITIONS}

    @dg.sensor(
        name=SENSOR,
        job_name=RAW_JOB,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks for new sync reports and manifests, and has new dumps decoded.",
    )
    def csq_sync_reports(
        context: dg.SensorEvaluationContext, export: ExportResource, lake: LakeResource
    ) -> dg.SensorResult | dg.SkipReason:
        try:
            return _tick(context, export.open(), lake.open(), settings, with_assets)
        except CsqError as error:
            return dg.SkipReason(str(error))

    return csq_sync_reports


def _tick(
    context: dg.SensorEvaluationContext,
    export: Export,
    lake: Lake,
    settings: Settings,
    with_assets: set[str],
) -> dg.SensorResult:
    now = _now()
    discovery = discover(export, lake.documents)
    records = lake.documents.records()
    rules = Rules(settings.skips, lambda failure: _worth_a_try(failure, export, now))
    intake = decide(discovery.catalog, records, lake.store.partitions(), now, rules)
    _take_empty(intake.take, lambda: Decoding(export, lake, lambda: now))

    asked = _read_cursor(context.cursor)
    contents = {dump_id: seen.content for dump_id, seen in discovery.catalog.dumps().items()}
    due = [work for work in intake.take if work.tables]
    fresh = _not_asked_yet(due, asked, contents, records, now)
    known = [_only(work, with_assets) for work in fresh]
    ready = [work for work in known if work.tables][:DUMPS_PER_RUN]
    said = [intake.wait_reason] if intake.wait else []
    if unknown := {table for work in due for table in work.tables} - with_assets:
        said.append(
            f"new tables: {', '.join(sorted(unknown))}. Reload the code location to give them assets"
        )
    if ready and _in_flight(context.instance):
        said.append("a run is under way; what is new is asked for when it is done")
        ready = []
    cursor = {work.dump_id: asked[work.dump_id] for work in due if work.dump_id in asked}
    cursor |= {work.dump_id: _request(work, contents, asked, now) for work in ready}
    return dg.SensorResult(
        run_requests=[_run_request(ready, cursor)] if ready else [],
        skip_reason=None if ready else "; ".join(said) or "nothing new",
        cursor=_CURSOR.dump_json(cursor).decode(),
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


def _not_asked_yet(
    due: Iterable[Work],
    asked: Mapping[int, Request],
    contents: Mapping[int, str],
    records: Mapping[int, DumpRecord],
    now: datetime,
) -> list[Work]:
    """What is due and was not asked for within the hour, or was, and has failed since.

    So a run that died without a word is repeated, yet not at every tick.
    """

    def is_open(dump_id: int, table: str) -> bool:
        request = asked.get(dump_id)
        if (
            request is None
            or request.content != contents[dump_id]
            or table not in request.tables
            or now - request.at >= RETRY_AFTER
        ):
            return True
        record = records[dump_id].table(table) if dump_id in records else None
        return record is not None and record.failure is not None and record.failure.at > request.at

    return [
        Work(work.dump_id, tuple(table for table in work.tables if is_open(work.dump_id, table)))
        for work in due
    ]


def _only(work: Work, tables: set[str]) -> Work:
    return Work(work.dump_id, tuple(table for table in work.tables if table in tables))


def _in_flight(instance: dg.DagsterInstance) -> bool:
    ours = dg.RunsFilter(tags={"dagster/sensor_name": SENSOR}, statuses=UNFINISHED)
    return bool(instance.get_runs(ours, limit=1))


def _request(
    work: Work, contents: Mapping[int, str], asked: Mapping[int, Request], now: datetime
) -> Request:
    before = asked.get(work.dump_id)
    return Request(
        content=contents[work.dump_id],
        tables=work.tables,
        at=now,
        attempt=before.attempt + 1 if before else 1,
    )


def _run_request(ready: Sequence[Work], cursor: Mapping[int, Request]) -> dg.RunRequest:
    # A run key is never run twice, not even where the run failed: so it tells one try from the next.
    tries = [(work.dump_id, cursor[work.dump_id]) for work in ready]
    said = repr([(dump_id, one.content, one.tables, one.attempt) for dump_id, one in tries])
    tables = dict.fromkeys(table for work in ready for table in work.tables)
    return dg.RunRequest(
        run_key=hashlib.sha256(said.encode()).hexdigest(),
        job_name=RAW_JOB,
        asset_selection=[raw_key(table) for table in tables],
        run_config=decode_config(ready),
        tags={"csq/dumps": _dumps_tag(ready)},
    )


def _dumps_tag(ready: Sequence[Work]) -> str:
    first, last = ready[0].dump_id, ready[-1].dump_id
    return f"{first}" if first == last else f"{first} to {last} ({len(ready)} dumps)"


def _partition_requests(
    instance: dg.DagsterInstance, dump_ids: Iterable[int]
) -> list[dg.AddDynamicPartitionsRequest]:
    known = set(instance.get_dynamic_partitions(CSQ_DUMPS.name or ""))
    new = [key for key in map(partition_key, dump_ids) if key not in known]
    return [CSQ_DUMPS.build_add_request(new)] if new else []


def _read_cursor(cursor: str | None) -> dict[int, Request]:
    try:
        return _CURSOR.validate_json(cursor) if cursor else {}
    except ValidationError:
        return {}  # written by another version: what is due is asked for again
