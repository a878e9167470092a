"""One headless pass of what the sensor does, in this process, recorded in the same instance."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Protocol

import dagster as dg
from filelock import FileLock, Timeout

from csq_assets.aws import s3_client
from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.checks import judge_export
from csq_assets.dataconnect.findings import Severity
from csq_assets.dataconnect.intake import Rules, Work, decide, takeable_tables
from csq_assets.dataconnect.overview import Overview
from csq_assets.dataconnect.tables import raw_asset
from csq_assets.defs.build import build_definitions, tables_in
from csq_assets.defs.external_assets import discovery_events
from csq_assets.defs.keys import CSQ_DUMPS, UNFINISHED, partition_key, raw_key
from csq_assets.defs.raw_assets import RAW_JOB, decode_config
from csq_assets.errors import StorageError, UsageError
from csq_assets.lake.decoding import Decoding, Outcome
from csq_assets.lake.discovery import Discovery, discover
from csq_assets.lake.locations import open_export, open_lake
from csq_assets.settings import Settings
from csq_assets.summary import (
    CheckSummary,
    SyncSummary,
    standing_checks,
    summarize_check,
    summarize_dumps,
)

_HEADLESS = {"csq/headless": "true"}
_LOCK_WAIT_SECONDS = 60
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Listener(Protocol):
    """Is told how a pass goes on."""

    def starts(self, tables: int) -> None:
        """So many tables of dumps are about to be decoded."""
        ...

    def decoded(self, outcome: Outcome) -> None:
        """One of them was decoded, or failed."""
        ...


def run_sync(
    settings: Settings,
    instance: dg.DagsterInstance,
    listener: Listener,
    *,
    dump_id: int | None = None,
) -> SyncSummary:
    """Find, decode and check what is pending, or one dump alone, be it one that waits.

    Raises UsageError for a dump that is not known; SettingsError where the export or the lake cannot
    be used at all; StorageError where another pass does not come to its end.
    """
    with _alone(settings):
        _bury_killed_runs(instance)
        return _pass(settings, instance, listener, dump_id)


def _pass(
    settings: Settings, instance: dg.DagsterInstance, listener: Listener, dump_id: int | None
) -> SyncSummary:
    now = datetime.now(UTC)
    lake = open_lake(settings.lake_url, s3_client)
    export = open_export(settings.export_url, settings.manifest_prefix, s3_client)
    discovery = discover(export, lake.documents)
    catalog = discovery.catalog
    names = catalog.names(settings.skips)
    intake = decide(
        catalog,
        lake.documents.records(),
        lake.store.partitions(),
        now,
        Rules(settings.skips),
    )
    work = intake.take if dump_id is None else (_whole_dump(catalog, dump_id, settings),)
    checks = list(_record_discovery(instance, discovery, now))
    errors = list(catalog.unreadable)
    errors += [seen.problem for seen in discovery.new_reports if seen.problem]
    errors += map(str, names.refused.values())

    decoding = Decoding(export, lake, lambda: now)
    for one in work:
        decoding.take(one.dump_id)
    outcomes: list[Outcome] = []
    if due := [one for one in work if one.tables]:
        errors += _decode(settings, instance, catalog, due, listener, outcomes)
    for outcome in outcomes:
        for judged in outcome.judged:
            asset = raw_asset(outcome.table)
            checks += (summarize_check(asset, one, judged.dump_id) for one in judged.findings)

    overview = Overview(catalog, lake.documents.records(), settings.skips)
    failed = {(dump_id, record.table) for dump_id, record in overview.failures()}
    errors += [str(one.error) for one in outcomes if (one.dump_id, one.table) in failed]
    standing = standing_checks(overview, judge_export(catalog, now))
    return SyncSummary(
        dumps=tuple(summarize_dumps(overview, work, names.refused)),
        checks=tuple(checks),
        errors=tuple(errors),
        standing=tuple(check for check in standing if check.severity == Severity.ERROR),
        waiting=intake.wait,
        wait_reason=intake.wait_reason,
    )


def _whole_dump(catalog: Catalog, dump_id: int, settings: Settings) -> Work:
    seen = catalog.dumps().get(dump_id)
    if seen is None:
        known = ", ".join(map(str, catalog.dumps())) or "none"
        raise UsageError(
            f"there is no dump {dump_id} in {settings.export_url}",
            remedy=f"Dumps that are known: {known}.",
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


def _decode(
    settings: Settings,
    instance: dg.DagsterInstance,
    catalog: Catalog,
    due: Sequence[Work],
    listener: Listener,
    outcomes: list[Outcome],
) -> Iterator[str]:
    """Decode in one run of the job that the sensor uses; gives what is wrong beside the outcomes."""

    def on_outcome(outcome: Outcome) -> None:
        outcomes.append(outcome)
        listener.decoded(outcome)

    definitions = build_definitions(settings, tables_in(catalog, settings), on_outcome=on_outcome)
    listener.starts(sum(len(work.tables) for work in due))
    result = definitions.resolve_job_def(RAW_JOB).execute_in_process(
        instance=instance,
        asset_selection=[raw_key(table) for work in due for table in work.tables],
        run_config={**decode_config(due), **_QUIET},
        tags=_HEADLESS,
        raise_on_error=False,
    )
    if result.success:
        return
    # A failure that we raise tells what the outcomes tell; anything else is a bug, and shows.
    steps = [event.step_failure_data for event in result.filter_events(_is_step_failure)]
    bugs = [step.error for step in steps if step.user_failure_data is None]
    if not steps:
        runs = result.filter_events(lambda event: event.is_run_failure)
        bugs = [event.job_failure_data.error for event in runs]
    yield from (bug.to_string() for bug in bugs if bug is not None)


def _is_step_failure(event: dg.DagsterEvent) -> bool:
    return event.is_step_failure


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One pass at a time on this machine; the operating system frees the lock of a killed one."""
    path = settings.duckdb_path.with_name(f".{settings.duckdb_path.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=_LOCK_WAIT_SECONDS):
            yield
    except Timeout:
        raise StorageError(
            f"another csq sync is at work, and did not end within {_LOCK_WAIT_SECONDS} seconds",
            remedy="Wait for it, then run csq sync again.",
        ) from None


def _bury_killed_runs(instance: dg.DagsterInstance) -> None:
    """Runs of passes that were killed. None is alive: this pass holds the lock."""
    for run in instance.get_runs(dg.RunsFilter(tags=_HEADLESS, statuses=UNFINISHED)):
        instance.report_run_failed(run, "csq sync was killed; what it had finished is in the lake")
