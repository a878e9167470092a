"""One headless pass of what the sensor does, recorded in the same instance; and rebuilding."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from csq_assets.aws import s3_client
from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.checks import Severity, judge_export
from csq_assets.dataconnect.intake import Intake, Rules, Work, decide, takeable_tables
from csq_assets.dataconnect.overview import Overview
from csq_assets.defs.external_assets import discovery_events
from csq_assets.defs.keys import CSQ_DUMPS, partition_key
from csq_assets.defs.refreshing import find_stale
from csq_assets.errors import StorageError, UsageError
from csq_assets.headless import Headless, Listener, alone, bury_killed_runs
from csq_assets.lake.decoding import Decoding
from csq_assets.lake.discovery import Discovery, discover
from csq_assets.lake.locations import Lake, open_export, open_lake
from csq_assets.settings import Settings
from csq_assets.summary import CheckSummary, SyncSummary, standing_checks, summarize_dumps
from csq_assets.warehouse.snapshot import publish_snapshot

_FILE_WAIT_SECONDS = 60
_SHOWN = 5  # dumps in a message


def run_sync(
    settings: Settings,
    instance: dg.DagsterInstance,
    listener: Listener,
    *,
    dump_id: int | None = None,
) -> SyncSummary:
    """Find, decode and check what is pending, or one dump alone, be it one that waits; then bring
    the current tables up to date.

    Raises UsageError for a dump that is not known; SettingsError where the export or the lake cannot
    be used at all; StorageError where another pass does not come to its end.
    """
    with alone(settings):
        bury_killed_runs(instance)
        return _pass(settings, instance, listener, dump_id)


def run_rebuild(
    settings: Settings,
    instance: dg.DagsterInstance,
    listener: Listener,
    *,
    tables: Sequence[str] = (),
) -> SyncSummary:
    """Drop current tables and replay them from the lake: those named, or all.

    Raises UsageError for a table that is not known; StorageError as `run_sync`.
    """
    with alone(settings):
        bury_killed_runs(instance)
        lake = open_lake(settings.lake_url, s3_client)
        catalog = lake.documents.catalog()
        known = tuple(Overview(catalog, lake.documents.records(), settings.skips).plans())
        for table in tables:
            if table not in known:
                raise UsageError(
                    f'there is no table "{table}" in the lake',
                    remedy=f"Tables that are known: {', '.join(known) or 'none'}.",
                )
        headless = Headless(settings, instance, listener, catalog)
        headless.refresh(tables or known, rebuild=True)
        return _summarize(
            headless, Overview(catalog, lake.documents.records(), settings.skips), lake
        )


def _pass(
    settings: Settings, instance: dg.DagsterInstance, listener: Listener, dump_id: int | None
) -> SyncSummary:
    now = datetime.now(UTC)
    lake = open_lake(settings.lake_url, s3_client)
    export = open_export(
        settings.export_url,
        settings.manifest_prefix,
        s3_client,
        request_payer=settings.request_payer,
    )
    lake.store.remove_unfinished_writes(now)
    discovery = discover(export, lake.documents)
    catalog = discovery.catalog
    headless = Headless(settings, instance, listener, catalog)
    records = lake.documents.records()
    intake = decide(catalog, records, lake.store.partitions(), now, Rules(settings.skips))
    work = intake.take if dump_id is None else (_whole_dump(catalog, dump_id, settings),)
    headless.checks += _record_discovery(instance, discovery, now)
    headless.errors += catalog.unreadable
    headless.errors += [seen.problem for seen in discovery.new_reports if seen.problem]
    headless.errors += map(str, catalog.names(settings.skips).refused.values())

    if work:
        _decode(headless, Decoding(export, lake, lambda: now), work)
        records = lake.documents.records()
    overview = Overview(catalog, records, settings.skips)
    _refresh_stale(settings, headless, lake, overview)
    return _summarize(headless, overview, lake, work, intake)


def _decode(headless: Headless, decoding: Decoding, work: Sequence[Work]) -> None:
    decoding.take_each(one.dump_id for one in work)
    if due := [one for one in work if one.tables]:
        headless.decode(due)


def _refresh_stale(settings: Settings, headless: Headless, lake: Lake, overview: Overview) -> None:
    try:
        stale = find_stale(settings.duckdb_path, lake, overview, wait_seconds=_FILE_WAIT_SECONDS)
    except StorageError as error:
        headless.errors.append(str(error))
        return
    if stale is not None:
        headless.refresh(stale)
    else:
        _publish_if_behind(settings, headless)


def _publish_if_behind(settings: Settings, headless: Headless) -> None:
    """A snapshot that was asked for after the last refresh, or did not come to be."""
    path, snapshot = settings.duckdb_path, settings.duckdb_snapshot_path
    if snapshot is None or not path.exists():
        return
    if snapshot.exists() and snapshot.stat().st_mtime >= path.stat().st_mtime:
        return
    try:
        publish_snapshot(path, snapshot)
    except StorageError as error:
        headless.errors.append(str(error))


def _summarize(
    headless: Headless,
    overview: Overview,
    lake: Lake,
    work: Iterable[Work] = (),
    intake: Intake | None = None,
) -> SyncSummary:
    failed = {(dump_id, record.table) for dump_id, record in overview.failures()}
    errors = [
        str(outcome.error)
        for outcome in headless.outcomes
        if outcome.error is not None and (outcome.dump_id, outcome.table) in failed
    ]
    on_export = judge_export(overview.catalog, datetime.now(UTC))
    refused = overview.catalog.names(overview.skips).refused
    # A partition is judged again when the one before it is decoded: what was said before is void.
    last = {(check.asset, check.check, check.partition): check for check in headless.checks}
    standing = standing_checks(overview, on_export, lake.documents.findings())
    return SyncSummary(
        dumps=tuple(summarize_dumps(overview, work, refused)),
        checks=tuple(last.values()),
        errors=(*headless.errors, *errors),
        standing=tuple(check for check in standing if check.severity == Severity.ERROR),
        waiting=intake.wait if intake else (),
        wait_reason=intake.wait_reason if intake else "",
    )


def _whole_dump(catalog: Catalog, dump_id: int, settings: Settings) -> Work:
    seen = catalog.dumps().get(dump_id)
    if seen is None:
        newest = list(catalog.dumps())[-_SHOWN:]
        known = ", ".join(map(str, newest)) or "none"
        raise UsageError(
            f"there is no dump {dump_id} in {settings.export_url}",
            remedy=f"The newest that are known: {known}.",
        )
    names = catalog.names(settings.skips)
    return Work(dump_id, takeable_tables(names, seen, settings.skips))


def _record_discovery(
    instance: dg.DagsterInstance, discovery: Discovery, now: datetime
) -> Iterator[CheckSummary]:
    """Partitions, observations and evaluations that no run brings; gives the evaluations."""
    known = set(instance.get_dynamic_partitions(str(CSQ_DUMPS.name)))
    new = [key for key in map(partition_key, discovery.catalog.dumps()) if key not in known]
    if new:
        instance.add_dynamic_partitions(str(CSQ_DUMPS.name), new)
    for event in discovery_events(instance, discovery, now):
        instance.report_runless_asset_event(event)
        if isinstance(event, dg.AssetCheckEvaluation):
            yield CheckSummary(
                event.asset_key.to_user_string(),
                event.check_name,
                None,
                event.passed,
                event.severity.value,
                event.description or "",
            )
