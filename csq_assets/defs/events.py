"""Outcomes of decoding as Dagster's events: materializations, evaluations, marks of failure."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent

from csq_assets.defs.checks import evaluations, newest_materialization
from csq_assets.defs.keys import partition_key, raw_key
from csq_assets.lake.decoding import Judged, Outcome

Event: TypeAlias = dg.AssetMaterialization | dg.AssetCheckEvaluation


def outcome_events(context: dg.AssetExecutionContext, outcome: Outcome) -> Iterator[Event]:
    """The partition and what its checks found; or a mark on it, where it failed."""
    key, partition = raw_key(outcome.table), partition_key(outcome.dump_id)
    if outcome.error is not None:
        context.log.error(str(outcome.error))
        _mark_failed(context, key, partition)
        return
    yield dg.AssetMaterialization(key, partition=partition, metadata=_metadata(outcome))
    for judged in outcome.judged:
        yield from judged_events(context, outcome.table, judged)


def judged_events(
    context: dg.AssetExecutionContext, table: str, judged: Judged
) -> Iterator[dg.AssetCheckEvaluation]:
    """What the checks found on one partition; all of them, unless a run executes some alone."""
    key, partition = raw_key(table), partition_key(judged.dump_id)
    target = newest_materialization(context.instance, key, partition)
    for evaluation in evaluations(judged.findings, key, partition, target):
        asked = context.selected_asset_check_keys
        if context.selected_asset_keys or evaluation.asset_check_key in asked:
            yield evaluation


def _mark_failed(context: dg.AssetExecutionContext, key: dg.AssetKey, partition: str) -> None:
    """Let the partition show as failed.

    Dagster marks what was planned and did not come. A run for a partition has planned it; a run for
    work on several dumps has planned assets only, so the plan of what failed is entered here.
    """
    if context.has_partition_key or context.has_partition_key_range:
        return
    planned = DagsterEvent.build_asset_materialization_planned_event(
        context.run.job_name,
        context.op_execution_context.op.name,
        AssetMaterializationPlannedData(key, partition=partition, partitions_subset=None),
    )
    context.instance.report_dagster_event(planned, run_id=context.run.run_id)


def _metadata(outcome: Outcome) -> dict[str, Any]:
    types = outcome.avro_types or {}
    return {
        "dagster/row_count": outcome.rows,
        "files": outcome.files,
        "bytes_read": outcome.bytes_read,
        "bytes_written": outcome.size_bytes,
        "seconds": round(outcome.seconds, 3),
        "incremental": outcome.incremental,
        "location": dg.MetadataValue.path(outcome.location),
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(name, str(dtype), description=_avro(types.get(name, ())))
                for name, dtype in (outcome.schema or {}).items()
            ]
        ),
    }


def _avro(types: tuple[str, ...]) -> str | None:
    return f"Avro: {' or '.join(types)}" if types else None
