"""What a killed process leaves behind in Dagster: unfinished runs, and events that it never recorded.

The lake and DuckDB have what was finished; the next pass tells Dagster.
"""

from collections.abc import Iterable, Iterator, Mapping

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.events import DagsterEvent

from csq_assets.dataconnect.checks import checks_on
from csq_assets.dataconnect.dump_records import DumpRecord, TableRecord
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.defs.check_results import evaluations, newest_materialization
from csq_assets.defs.keys import Keys, partition_key
from csq_assets.defs.run_requests import (
    AT_WORK,
    ENDED_BADLY,
    FOR_OTHER_READERS,
    PARTITION_TAG,
    REFRESH,
    UNFINISHED,
    headless_tags,
    is_ours,
)
from csq_assets.errors import StorageError
from csq_assets.lake.locations import Lake
from csq_assets.pipeline.ingest import reevaluate

_EVALUATED = dg.DagsterEventType.ASSET_CHECK_EVALUATION.value
_DATA_VERSION = "dagster/data_version"
_RECORDED = "recorded"  # the tag of runs whose partitions Dagster has by now
_RUNS = 100  # the newest that failed
_RUNS_SINCE = 10  # the newest of refreshes, and of what follows them


def fail_orphaned_runs(instance: dg.DagsterInstance, keys: Keys) -> None:
    """Mark the runs of passes that were killed as failed. Call it while holding the pass lock."""
    for run in instance.get_runs(dg.RunsFilter(tags=headless_tags(keys), statuses=UNFINISHED)):
        instance.report_run_failed(run, "csq sync was killed; what it had finished is kept")


def record_missing_partitions(
    instance: dg.DagsterInstance, keys: Keys, lake: Lake, dumps: Mapping[int, DumpRecord]
) -> list[dg.AssetCheckEvaluation]:
    """Record the partitions, and their checks, that runs published but did not live to record; gives
    the evaluations. Each run is dealt with once, whichever pass it is that lives to do so.

    Raises StorageError where a partition cannot be read, after the others are recorded; its run is
    dealt with again.
    """
    recorded: list[dg.AssetCheckEvaluation] = []
    problem: StorageError | None = None
    for run in instance.get_runs(
        dg.RunsFilter(job_name=keys.raw_job, statuses=ENDED_BADLY), limit=_RUNS
    ):
        if keys.tag(_RECORDED) in run.tags:
            continue
        partition = run.tags.get(PARTITION_TAG, "")
        dump = dumps.get(int(partition)) if partition.isdecimal() else None
        planned = _planned(instance, run)
        try:
            for table in dump.tables if dump else ():
                if (key := keys.raw(table.table)) in planned:
                    recorded += _record_missing(instance, run, key, lake, int(partition), table)
            instance.add_run_tags(run.run_id, {keys.tag(_RECORDED): "true"})
        except StorageError as error:
            problem = error
    if problem is not None:
        raise problem
    return recorded


def record_erased_partitions(
    instance: dg.DagsterInstance, keys: Keys, lake: Lake, dumps: Mapping[int, DumpRecord]
) -> None:
    """Record the partitions again that rows of forgotten users were taken out of, where Dagster knows
    other ones. Their checks find what they found."""
    for dump_id, dump in dumps.items():
        for table in dump.tables:
            if table.content is not None and table.content.forgotten:
                _record_content(instance, keys.raw(table.table), lake, dump_id, table)


def runs_at_work(instance: dg.DagsterInstance, keys: Keys) -> list[dg.DagsterRun]:
    """The runs that decode, refresh or build marts now, the queued ones left out."""
    found = instance.get_runs(dg.RunsFilter(statuses=AT_WORK))
    return [run for run in found if is_ours(run, keys)]


def tables_of_broken_refresh(
    instance: dg.DagsterInstance, keys: Keys, tables: Iterable[str]
) -> set[str]:
    """Those of `tables` that a refresh should have recorded and did not come to its end, unless a later
    one did: a run that was killed with its code server is marked as failed long after it."""
    runs = instance.get_runs(dg.RunsFilter(job_name=keys.current_job), limit=_RUNS_SINCE)
    refreshes = [run for run in runs if run.tags.get(keys.tag(REFRESH)) not in FOR_OTHER_READERS]
    bad = [number for number, run in enumerate(refreshes) if run.status in ENDED_BADLY]
    unsettled, broken = set(tables), set[str]()
    for run in refreshes[: bad[-1] + 1 if bad else 0]:  # the newest first
        planned = _planned(instance, run)
        settled = {table for table in unsettled if keys.current(table) in planned}
        unsettled -= settled
        broken |= settled if run.status in ENDED_BADLY else set()
    return broken


def unrecorded_for_readers(instance: dg.DagsterInstance, keys: Keys) -> set[dg.AssetKey]:
    """The snapshot and the published tables whose newest run did not live to record them: it may have
    written them, which nothing else shows."""
    tags = {keys.tag(REFRESH): list(FOR_OTHER_READERS)}
    runs = instance.get_runs(dg.RunsFilter(job_name=keys.current_job, tags=tags), limit=_RUNS_SINCE)
    bad = [number for number, run in enumerate(runs) if run.status in ENDED_BADLY]
    settled, unrecorded = set[dg.AssetKey](), set[dg.AssetKey]()
    for run in runs[: bad[-1] + 1 if bad else 0]:  # the newest first
        planned = _planned(instance, run)
        if run.status in ENDED_BADLY:
            unrecorded |= planned - settled - _materialized(instance, run)
        settled |= planned
    return unrecorded


def _planned(instance: dg.DagsterInstance, run: dg.DagsterRun) -> set[dg.AssetKey]:
    """What the run was to materialize, as Dagster planned it."""
    return _assets(instance, run, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)


def _materialized(instance: dg.DagsterInstance, run: dg.DagsterRun) -> set[dg.AssetKey]:
    return _assets(instance, run, dg.DagsterEventType.ASSET_MATERIALIZATION)


def _assets(
    instance: dg.DagsterInstance, run: dg.DagsterRun, event: dg.DagsterEventType
) -> set[dg.AssetKey]:
    entries = instance.all_logs(run.run_id, of_type=event)
    keys = (entry.dagster_event.asset_key for entry in entries if entry.dagster_event)
    return {key for key in keys if key is not None}


def _record_missing(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    key: dg.AssetKey,
    lake: Lake,
    dump_id: int,
    table: TableRecord,
) -> list[dg.AssetCheckEvaluation]:
    partition = partition_key(dump_id)
    if table.content is None:
        return []
    _record_content(instance, key, lake, dump_id, table)
    if table.table == PROPERTY_DEFINITIONS or _is_evaluated(instance, key, partition):
        return []
    later = (one for one in lake.store.dumps_of(table.table) if one > dump_id)
    found = [
        evaluation
        for one in (dump_id, *sorted(later)[:1])  # the drift of the next one depends on this one
        for evaluation in _evaluate(instance, key, lake, table.table, one)
    ]
    for evaluation in found:
        # As the run's own: Dagster takes only one without a run, for each check and partition.
        event = DagsterEvent(_EVALUATED, run.job_name, event_specific_data=evaluation)
        instance.report_dagster_event(event, run.run_id)
    return found


def _record_content(
    instance: dg.DagsterInstance, key: dg.AssetKey, lake: Lake, dump_id: int, table: TableRecord
) -> None:
    """Record the partition, where Dagster does not know it by its data version."""
    partition, content = partition_key(dump_id), table.content
    if content is None:
        return
    latest = instance.fetch_materializations(
        dg.AssetRecordsFilter(key, asset_partitions=[partition]), limit=1
    ).records
    known = latest[0].asset_materialization if latest else None
    if known is None or (known.tags or {}).get(_DATA_VERSION) != content.digest:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                key,
                partition=partition,
                metadata={
                    "dagster/partition_row_count": content.rows,
                    "dagster/uri": lake.store.location(table.table, dump_id),
                },
                tags={_DATA_VERSION: content.digest},
            )
        )


def _is_evaluated(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str) -> bool:
    """Whether every check was evaluated on the partition as it was last materialized."""
    target = newest_materialization(instance, key, partition)
    checks = [dg.AssetCheckKey(key, check.name) for check in checks_on("raw")]
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        checks, partition_filter=PartitionKeyFilter(key=partition)
    )
    found = [record.evaluation for record in latest.values()]
    targets = [
        evaluation.target_materialization_data
        for evaluation in found
        if isinstance(evaluation, dg.AssetCheckEvaluation)  # not one that was only planned
    ]
    return target is not None and [one and one.storage_id for one in targets] == [
        target.storage_id
    ] * len(checks)


def _evaluate(
    instance: dg.DagsterInstance, key: dg.AssetKey, lake: Lake, table: str, dump_id: int
) -> Iterator[dg.AssetCheckEvaluation]:
    partition = partition_key(dump_id)
    target = newest_materialization(instance, key, partition)
    return evaluations(reevaluate(lake, table, dump_id), key, partition, target)
