"""Assembles definitions from settings and the tables that were seen."""

from collections.abc import Callable, Sequence

import dagster as dg

from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.findings import Finding
from csq_assets.dataconnect.tables import BUILT_IN_TABLES
from csq_assets.defs.current_assets import CURRENT_JOB, build_current_assets
from csq_assets.defs.external_assets import build_external_assets, build_external_checks
from csq_assets.defs.io_manager import LakeIOManager
from csq_assets.defs.raw_assets import RAW_JOB, build_raw_assets
from csq_assets.defs.resources import ExportResource, LakeResource, WarehouseResource
from csq_assets.defs.sensor import build_sync_reports_sensor
from csq_assets.lake.decoding import Outcome
from csq_assets.settings import Settings


def build_definitions(
    settings: Settings,
    tables: Sequence[str],
    *,
    on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
    on_findings: Callable[[str, Sequence[Finding]], None] = lambda _asset, _findings: None,
) -> dg.Definitions:
    """All that Dagster is told: assets, checks, jobs, the sensor, resources.

    `on_outcome` is told of each table of each dump as it is decoded in this process, `on_findings`
    what the checks find on the identity map and on current tables.
    """
    raw = build_raw_assets(tables, owners=settings.owners, on_outcome=on_outcome)
    current = build_current_assets(
        tables, skips=settings.skips, owners=settings.owners, on_findings=on_findings
    )
    jobs = [
        dg.define_asset_job(name, selection=dg.AssetSelection.assets(*assets.keys))
        for name, assets in ((RAW_JOB, raw), (CURRENT_JOB, current))
    ]
    snapshot = settings.duckdb_snapshot_path
    lake = LakeResource(url=settings.lake_url)
    return dg.Definitions(
        assets=[
            *build_external_assets(
                on_s3=settings.export_url.startswith("s3://"),
                export_url=settings.export_url,
                owners=settings.owners,
            ),
            raw,
            current,
        ],
        asset_checks=[build_external_checks()],
        jobs=jobs,
        sensors=[build_sync_reports_sensor(settings, tables, jobs)],
        resources={
            "export": ExportResource(
                url=settings.export_url,
                manifest_prefix=settings.manifest_prefix,
                request_payer=settings.request_payer,
            ),
            "lake": lake,
            "warehouse": WarehouseResource(
                database=str(settings.duckdb_path),
                memory_limit=settings.duckdb_memory_limit,
                snapshot_path=str(snapshot) if snapshot else None,
            ),
            "io_manager": LakeIOManager(lake=lake),
        },
        # A process for each of many small steps would cost far more than the steps.
        executor=dg.in_process_executor,
    )


def tables_in(catalog: Catalog, settings: Settings) -> tuple[str, ...]:
    """The tables that get assets: the built-in ones, then those that were seen, first seen first."""
    seen = catalog.names(settings.skips).kept
    built_in = (table for table in BUILT_IN_TABLES if not settings.skips(table))
    return tuple(dict.fromkeys((*built_in, *seen)))
