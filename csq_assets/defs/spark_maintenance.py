"""Iceberg's own maintenance as a job with a schedule of Dagster's."""

from collections.abc import Sequence

import dagster as dg

from csq_assets.defs.keys import Keys
from csq_assets.defs.spark_engine import SparkEngine
from csq_assets.spark.messages import Maintain

_NIGHTLY = "17 3 * * *"


class MaintenanceConfig(dg.Config):
    """Snapshots are kept for so many days: for as long somebody can look back."""

    keep_days: int = 7


def build_maintenance(
    keys: Keys, spark: SparkEngine, tables: Sequence[str]
) -> dg.ScheduleDefinition:
    """The schedule, which somebody starts, and its job: compaction, and the expiry of snapshots."""

    @dg.op(name=f"{keys.identifier}_maintain_tables")
    def maintain_tables(context: dg.OpExecutionContext, config: MaintenanceConfig) -> None:
        """Compact the Iceberg tables, and expire snapshots."""
        spark.maintain(context, Maintain(tuple(tables), config.keep_days))

    @dg.job(name=keys.maintenance_job, executor_def=dg.in_process_executor)
    def maintenance() -> None:
        maintain_tables()

    return dg.ScheduleDefinition(job=maintenance, cron_schedule=_NIGHTLY)
