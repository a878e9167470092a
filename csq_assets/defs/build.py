"""Assembles definitions from settings and the tables that were seen."""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster_aws.s3 import S3Resource
from dagster_duckdb import DuckDBResource

from csq_assets.aws import s3_client
from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.column_rules import ColumnRules
from csq_assets.dataconnect.tables import BUILT_IN_TABLES, PROPERTY_DEFINITIONS
from csq_assets.dbt_project import DbtProject
from csq_assets.defs.alerts import build_alerts_sensor
from csq_assets.defs.current_assets import CurrentAssets
from csq_assets.defs.duckdb_io_manager import DuckDBIOManager
from csq_assets.defs.external_assets import build_external_assets, build_external_checks
from csq_assets.defs.keys import Keys
from csq_assets.defs.lake_io_manager import LakeIOManager
from csq_assets.defs.published_assets import PublishedAssets
from csq_assets.defs.raw_assets import build_raw_asset
from csq_assets.defs.resources import ExportResource, LakeResource, WarehouseResource
from csq_assets.defs.sensor import build_sync_reports_sensor
from csq_assets.defs.spark_engine import IcebergTables, Launcher, SparkEngine
from csq_assets.defs.spark_maintenance import build_maintenance
from csq_assets.lake.locations import open_lake
from csq_assets.pipeline.type_file import read_chosen_types
from csq_assets.s3_resource import PooledS3Resource
from csq_assets.settings import Settings


def load_definitions(settings: Settings) -> dg.Definitions:
    """The definitions, with the tables that the lake has seen. Raises SettingsError or StorageError
    where it cannot be read."""
    catalog = open_lake(settings.lake_url, s3_client).documents.catalog()
    return build_definitions(
        settings, tables_in(catalog, settings), sync_interval=catalog.sync_interval()
    )


def build_definitions(
    settings: Settings,
    tables: Sequence[str],
    *,
    sync_interval: timedelta | None = None,
    s3: S3Resource | None = None,
    duckdb: DuckDBResource | None = None,
    launcher: Launcher | None = None,
) -> dg.Definitions:
    """Everything that Dagster loads: assets, checks, jobs, the sensor, resources.

    `sync_interval` is the usual time between two syncs. `s3` makes the S3 clients, by default as the
    AWS SDK's variables say; `duckdb` the connections to the DuckDB file, by default of the settings;
    `launcher` has a cluster of Spark execute jobs, by default through `CSQ_SPARK_SUBMIT`.
    Raises SettingsError where the file of chosen types is wrong.
    Nothing here takes a name, an executor or an IO manager of other definitions, so they can be merged.
    """
    keys = Keys.of(settings)
    key = settings.hash_key.get_secret_value().encode() if settings.hash_key else b""
    rules = ColumnRules(settings.drop_columns, settings.hash_columns, key)
    raw = [
        build_raw_asset(table, keys, rules, owners=settings.owners)
        for table in (*tables, PROPERTY_DEFINITIONS)
    ]
    read_chosen_types(settings.types_path)  # refuses what is wrong before anything runs
    spark = SparkEngine.of(settings, keys, launcher) if settings.engine == "spark" else None
    factory = CurrentAssets(keys, settings.skips, settings.owners, settings.types_path, spark)
    current = factory.build(tables)
    if settings.snapshot_path is not None:
        current.append(factory.snapshot(tables, str(settings.snapshot_path)))
    if settings.publish_url is not None:
        current += PublishedAssets(keys, settings).build(tables)
    # A process for each of many small steps would cost far more than the steps; a cluster may have
    # several jobs at once, where a DuckDB file has one writer.
    executor = dg.multiprocess_executor if spark else dg.in_process_executor
    jobs = [
        dg.define_asset_job(
            name,
            selection=dg.AssetSelection.assets(*(key for asset in assets for key in asset.keys)),
            executor_def=executor_def,
        )
        for name, assets, executor_def in (
            (keys.raw_job, raw, dg.in_process_executor),
            (keys.current_job, current, executor),
        )
    ]
    maintenance = build_maintenance(keys, spark, tables) if spark else None
    marts = _marts(settings, keys)
    if marts is not None:
        jobs.append(_marts_job(keys, marts))
    s3 = s3 or PooledS3Resource()
    lake = LakeResource(url=settings.lake_url, s3=s3)
    duckdb = duckdb or WarehouseResource(
        database=str(settings.duckdb_path), memory_limit=settings.memory_limit
    )
    return dg.Definitions(
        assets=[
            *build_external_assets(
                keys,
                export_url=settings.export_url,
                sync_interval=sync_interval,
                owners=settings.owners,
            ),
            *raw,
            *current,
            *([marts] if marts else []),
        ],
        asset_checks=[build_external_checks(keys)],
        jobs=[*jobs, *([maintenance.job] if maintenance else [])],
        schedules=[maintenance] if maintenance else [],
        sensors=[
            build_sync_reports_sensor(settings, tables, jobs),
            *([build_alerts_sensor(settings)] if settings.alerts else []),
        ],
        resources={
            keys.s3: s3,
            keys.export: ExportResource(
                url=settings.export_url,
                manifest_prefix=settings.manifest_prefix,
                request_payer=settings.request_payer,
                s3=s3,
            ),
            keys.lake: lake,
            keys.duckdb: duckdb,
            keys.lake_io: LakeIOManager(lake=lake),
            keys.duckdb_io: IcebergTables() if spark else DuckDBIOManager(duckdb=duckdb),
        },
    )


def _marts(settings: Settings, keys: Keys) -> dg.AssetsDefinition | None:
    """The models of the dbt project. Raises SettingsError where dbt is missing, or refuses it."""
    project = DbtProject.of(settings)
    if project is None:
        return None
    from csq_assets.defs.marts import build_marts  # noqa: PLC0415  # of an extra, and slow to import

    return build_marts(project, keys, settings.owners)


def _marts_job(keys: Keys, marts: dg.AssetsDefinition) -> UnresolvedAssetJobDefinition:
    """Builds every model and evaluates every test, those of sources too."""
    return dg.define_asset_job(
        keys.marts_job,
        selection=dg.AssetSelection.assets(*marts.keys)
        | dg.AssetSelection.checks(*marts.check_keys),
        executor_def=dg.in_process_executor,
    )


def tables_in(catalog: Catalog, settings: Settings) -> tuple[str, ...]:
    """The tables that get assets: the built-in ones, then the others in the order first seen."""
    seen = catalog.names(settings.skips).kept
    built_in = (table for table in BUILT_IN_TABLES if not settings.skips(table))
    return tuple(dict.fromkeys((*built_in, *seen)))
