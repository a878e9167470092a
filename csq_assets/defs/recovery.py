"""What a killed process leaves behind in Dagster: unfinished runs, and events that it never recorded.

The lake and DuckDB have what was finished; the next pass tells Dagster.
"""

from collections.abc import Iterable

import dagster as dg

from csq_assets.dataconnect.dump_records import DumpRecord, TableRecord
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.defs.check_results import evaluations, newest_materialization
from csq_assets.defs.keys import CURRENT_JOB, RAW_JOB, current_key, partition_key, raw_key
from csq_assets.defs.run_requests import HEADLESS, PARTITION_TAG, UNFINISHED
from csq_assets.lake.locations import Lake
from csq_assets.pipeline.ingest import reevaluate

_DATA_VERSION = "dagster/data_version"


def fail_orphaned_runs(instance: dg.DagsterInstance) -> None:
    """Mark the runs of passes that were killed as failed. Call it while holding the pass lock."""
    for run in instance.get_runs(dg.RunsFilter(tags=HEADLESS, statuses=UNFINISHED)):
        instance.report_run_failed(run, "csq sync was killed; what it had finished is kept")


def record_missing_partitions(
    instance: dg.DagsterInstance, lake: Lake, dumps: Iterable[DumpRecord]
) -> list[dg.AssetCheckEvaluation]:
    """Record the partitions of these dumps, and their checks, that a run published but did not live
    to record; gives the evaluations.

    Raises StorageError where a partition cannot be read.
    """
    recorded: list[dg.AssetCheckEvaluation] = []
    for dump in dumps:
        tags = {PARTITION_TAG: partition_key(dump.dump_id)}
        newest = instance.get_runs(dg.RunsFilter(job_name=RAW_JOB, tags=tags), limit=1)
        if newest and newest[0].is_finished and not newest[0].is_success:
            for table in dump.tables:
                recorded += _record_missing(instance, lake, dump.dump_id, table)
    return recorded


def tables_of_broken_refresh(instance: dg.DagsterInstance, tables: Iterable[str]) -> set[str]:
    """Those of `tables` that the newest refresh should have recorded, if it did not succeed."""
    newest = instance.get_runs(dg.RunsFilter(job_name=CURRENT_JOB), limit=1)
    if not newest or not newest[0].is_finished or newest[0].is_success:
        return set()
    selected = newest[0].asset_selection or ()
    return {table for table in tables if current_key(table) in selected}


def _record_missing(
    instance: dg.DagsterInstance, lake: Lake, dump_id: int, table: TableRecord
) -> list[dg.AssetCheckEvaluation]:
    key, partition, content = raw_key(table.table), partition_key(dump_id), table.content
    if content is None:
        return []
    latest = instance.fetch_materializations(
        dg.AssetRecordsFilter(key, asset_partitions=[partition]), limit=1
    ).records
    known = latest[0].asset_materialization if latest else None
    if known is not None and (known.tags or {}).get(_DATA_VERSION) == content.digest:
        return []
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
    if table.table == PROPERTY_DEFINITIONS:
        return []
    target = newest_materialization(instance, key, partition)
    found = list(evaluations(reevaluate(lake, table.table, dump_id), key, partition, target))
    for evaluation in found:
        instance.report_runless_asset_event(evaluation)
    return found
