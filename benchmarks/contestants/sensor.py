"""The sensor on the export of DAGSTER_HOME, tick after tick, until it has nothing to ask for.

What it asks for is carried out here, as the daemon would, with a code location that is loaded anew
each time; reported as rows is the number of runs.
"""

from pathlib import Path

import dagster as dg

from benchmarks.timed import report
from csq_assets.aws import s3_client
from csq_assets.defs.build import build_definitions, tables_in
from csq_assets.defs.sensor import SENSOR
from csq_assets.lake.discovery import discover
from csq_assets.lake.locations import open_export, open_lake
from csq_assets.settings import Settings

settings = Settings.from_environment()
Path("data").mkdir(exist_ok=True)


def loaded() -> dg.Definitions:
    catalog = open_lake(settings.lake_url, s3_client).documents.catalog()
    return build_definitions(settings, tables_in(catalog, settings))


def ticks(instance: dg.DagsterInstance) -> int:
    # A new table has assets from the second tick on.
    export = open_export(settings.export_url, settings.manifest_prefix, s3_client)
    discover(export, open_lake(settings.lake_url, s3_client).documents)
    cursor, runs = None, 0
    while True:
        defs = loaded()
        repository = defs.get_repository_def()
        context = dg.build_sensor_context(
            instance=instance,
            cursor=cursor,
            repository_def=repository,
            resources={
                name: resource
                for name, resource in (defs.resources or {}).items()
                if name in ("export", "lake", "warehouse")
            },
        )
        result = repository.get_sensor_def(SENSOR)(context)
        assert isinstance(result, dg.SensorResult), result
        for wanted in result.dynamic_partitions_requests or []:
            instance.add_dynamic_partitions(wanted.partitions_def_name, [*wanted.partition_keys])
        for event in result.asset_events:
            instance.report_runless_asset_event(event)
        cursor = result.cursor
        if not result.run_requests:
            return runs
        for request in result.run_requests:
            defs.resolve_job_def(str(request.job_name)).execute_in_process(
                instance=instance,
                asset_selection=list(request.asset_selection or []),
                run_config={
                    **request.run_config,
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                },
                tags={**request.tags, "dagster/sensor_name": SENSOR},
            )
            runs += 1


with dg.DagsterInstance.get() as opened:
    report(lambda: ticks(opened))
