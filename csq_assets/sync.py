"""One headless pass: what the sensor does, executed in this process; and rebuilding."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg

from csq_assets.aws import s3_client
from csq_assets.dataconnect.checks import evaluate_export
from csq_assets.dataconnect.intake import Intake
from csq_assets.dataconnect.pipeline_state import PipelineState, choose_tables
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.defs.alerts import telling
from csq_assets.defs.build import tables_in
from csq_assets.defs.current_checks import record_current_checks
from csq_assets.defs.external_assets import record_discovery, record_export_checks
from csq_assets.defs.keys import Keys
from csq_assets.defs.published_assets import published_relations
from csq_assets.defs.recovery import (
    fail_orphaned_runs,
    record_missing_partitions,
    tables_of_broken_refresh,
    unrecorded_for_readers,
)
from csq_assets.defs.run_requests import (
    decode_request,
    publication_request,
    rebuild_request,
    refresh_request,
    snapshot_request,
)
from csq_assets.defs.unlisted import record_unlisted
from csq_assets.errors import CsqError, SettingsError, StorageError, UsageError
from csq_assets.headless import HeadlessRuns
from csq_assets.lake.locations import open_export, open_lake
from csq_assets.pipeline.lake_guard import accept_lake as accept_lake_now
from csq_assets.pipeline.lake_guard import refuse_unfinished_forgetting
from csq_assets.pipeline.pass_lock import pass_lock
from csq_assets.pipeline.planner import DecodePlan, Planner, planner_of
from csq_assets.pipeline.problems import forget_unwanted
from csq_assets.pipeline.progress import Listener
from csq_assets.publish.open import publish_without_assets
from csq_assets.settings import Settings
from csq_assets.summary import SyncSummary, standing_checks, summarize_dumps, summarize_evaluation
from csq_assets.warehouse.connection import open_warehouse

_WAIT_SECONDS = 60  # for another pass, and for the DuckDB file


def run_sync(
    settings: Settings,
    instance: dg.DagsterInstance,
    listener: Listener,
    *,
    dump_id: int | None = None,
) -> SyncSummary:
    """Find, decode and check what is pending, or one dump alone, even one that waits. Then bring the
    current tables up to date.

    Raises UsageError for a dump that is unknown; SettingsError where the export or the lake cannot be
    used at all; StorageError where another pass does not end.
    """
    with (
        telling(settings, instance, listener.says),
        pass_lock(settings.duckdb_path, wait_seconds=_WAIT_SECONDS),
    ):
        keys = Keys.of(settings)
        fail_orphaned_runs(instance, keys)
        now = datetime.now(UTC)
        lake = open_lake(settings.lake_url, s3_client)
        planner = planner_of(settings, lake, settings.duckdb_path)
        planner.check_lake(wait_seconds=_WAIT_SECONDS)
        if lake.documents.tombstones().unfinished:
            listener.says("csq forget did not come to its end: run it again, which finishes it.")
        try:
            export = open_export(
                settings.export_url,
                settings.manifest_prefix,
                s3_client,
                request_payer=settings.request_payer,
            )
            plan = planner.plan_decoding(export, now, only_dump=dump_id)
        except (SettingsError, StorageError):
            with suppress(CsqError):  # the first error is the one to tell
                record_export_checks(instance, keys, lake.documents.catalog(), now)
            raise
        catalog = plan.discovery.catalog
        runs = HeadlessRuns(settings, instance, catalog, listener)
        runs.evaluations += record_discovery(instance, keys, plan.discovery, now)
        tables = tables_in(catalog, settings)
        record_unlisted(instance, keys, catalog, (*tables, PROPERTY_DEFINITIONS))
        broken = tables_of_broken_refresh(instance, keys, tables)
        try:
            runs.evaluations += record_missing_partitions(instance, keys, lake, plan.records)
        except StorageError as error:
            runs.errors.append(str(error))
        runs.errors += catalog.unreadable
        runs.errors += [seen.problem for seen in plan.discovery.new_reports if seen.problem]
        runs.errors += map(str, catalog.names(settings.skips).refused.values())

        listener.starts("decoding", sum(len(work.tables) for work in plan.decode))
        contents = catalog.dumps()
        for work in plan.decode:
            runs.execute(decode_request(keys, work, contents[work.dump_id].content))
        freed = planner.freed(plan, now) if dump_id is None else ()
        for work in freed:
            runs.execute(decode_request(keys, work, contents[work.dump_id].content))
        plan = plan.with_more(freed)
        state = planner.state(plan)
        _refresh(keys, planner, state, broken, runs, listener)
        runs.build_marts(planner, wait_seconds=_WAIT_SECONDS)
        _publish(settings, keys, planner, tables, runs, listener)
        state = replace(state, relations=lake.documents.relations())
        state = forget_unwanted(lake.documents, state, settings)
        runs.evaluations += record_current_checks(instance, keys, lake, state)
        return _summarize(keys, runs, state, plan)


def run_rebuild(
    settings: Settings,
    instance: dg.DagsterInstance,
    listener: Listener,
    *,
    tables: Sequence[str] = (),
    accept_lake: bool = False,
) -> SyncSummary:
    """Drop current tables and replay them from the lake: those named, or all. With `accept_lake`, from
    a lake that is not the one that the DuckDB file was filled from.

    Raises UsageError for a table that is unknown, StorageError while somebody is being forgotten; else
    what `run_sync` raises.
    """
    if accept_lake and settings.engine == "spark":
        raise UsageError(
            "with CSQ_ENGINE=spark the tables are in the lake, and there is none to accept",
            remedy="Run csq rebuild.",
        )
    with pass_lock(settings.duckdb_path, wait_seconds=_WAIT_SECONDS):
        keys = Keys.of(settings)
        fail_orphaned_runs(instance, keys)
        lake = open_lake(settings.lake_url, s3_client)
        planner = planner_of(settings, lake, settings.duckdb_path)
        if accept_lake:
            with open_warehouse(settings.duckdb_path, wait_seconds=_WAIT_SECONDS) as connection:
                accept_lake_now(connection, lake, lake.ledger.records())
        else:
            planner.check_lake(wait_seconds=_WAIT_SECONDS)
            refuse_unfinished_forgetting(lake)  # csq forget itself refuses a lake to be accepted
        state = planner.state()
        chosen = choose_tables(state.plans(), tables)
        runs = HeadlessRuns(settings, instance, state.catalog, listener)
        request = rebuild_request(keys, chosen)
        listener.starts("rebuilding", len(request.asset_selection or ()))
        runs.execute(request)
        runs.build_marts(planner, wait_seconds=_WAIT_SECONDS)
        tables_now = tables_in(state.catalog, settings)
        _publish(settings, keys, planner, tables_now, runs, listener)
        return _summarize(keys, runs, replace(state, relations=lake.documents.relations()))


def _refresh(
    keys: Keys,
    planner: Planner,
    state: PipelineState,
    broken: set[str],
    runs: HeadlessRuns,
    listener: Listener,
) -> None:
    try:
        plan = planner.plan_refresh(state, broken & set(state.plans()), wait_seconds=_WAIT_SECONDS)
    except StorageError as error:
        runs.errors.append(str(error))
        return
    if plan.is_behind:
        request = refresh_request(keys, plan)
        listener.starts("refreshing", len(request.asset_selection or ()))
        runs.execute(request)


def _publish(
    settings: Settings,
    keys: Keys,
    planner: Planner,
    tables: Sequence[str],
    runs: HeadlessRuns,
    listener: Listener,
) -> None:
    """Bring other readers up to date: other engines, then the snapshot, whatever becomes of those."""
    published = published_relations(tables)
    left = unrecorded_for_readers(runs.instance, keys)
    try:
        unpublished = planner.plan_publication(
            (one for one in published if keys.published(one) in left), wait_seconds=_WAIT_SECONDS
        )
    except StorageError as error:
        runs.errors.append(str(error))
        return
    if with_assets := unpublished & {*published}:
        listener.starts("publishing", len(with_assets))
        runs.execute(publication_request(keys, with_assets, datetime.now(UTC)))
    if others := unpublished - with_assets:
        try:
            publish_without_assets(settings, s3_client, others, wait_seconds=_WAIT_SECONDS)
        except CsqError as error:
            runs.errors.append(str(error))
    if planner.snapshot_is_behind(unrecorded=keys.snapshot in left):
        runs.execute(snapshot_request(keys, datetime.now(UTC)))


def _summarize(
    keys: Keys, runs: HeadlessRuns, state: PipelineState, plan: DecodePlan | None = None
) -> SyncSummary:
    on_export = evaluate_export(state.catalog, datetime.now(UTC))
    standing = standing_checks(state, on_export, keys.prefix)
    work, waiting = (plan.intake.take, plan.intake) if plan else ((), Intake())
    # A partition is checked again when the dump before it arrives late: the last result counts.
    evaluated = {
        (one.asset, one.check, one.partition): one
        for one in map(summarize_evaluation, runs.evaluations)
    }
    # Dagster and the ledger have every failure, but one that is void by now is nothing to act on.
    void = set(state.void_errors())
    return SyncSummary(
        dumps=tuple(summarize_dumps(state, work)),
        checks=tuple(evaluated.values()),
        errors=tuple(error for error in runs.errors if error not in void),
        standing=tuple(
            one for one in standing if (one.asset, one.check, one.partition) not in evaluated
        ),
        waiting=waiting.wait,
        wait_reason=waiting.wait_reason,
    )
