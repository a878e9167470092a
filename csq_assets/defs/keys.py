"""Asset keys, partitions and names: made here and nowhere else."""

from collections.abc import Iterable

import dagster as dg

from csq_assets.dataconnect.tables import (
    ALL_EVENTS_ASSET,
    IDENTITY_ASSET,
    MANIFESTS_ASSET,
    SYNC_REPORTS_ASSET,
    current_asset,
    raw_asset,
)
from csq_assets.errors import UsageError

CSQ_DUMPS = dg.DynamicPartitionsDefinition(name="csq_dumps")
RAW_JOB, CURRENT_JOB, SENSOR = "csq_raw", "csq_current", "csq_sync_reports"
LAKE_IO, DUCKDB_IO = "csq_lake_io", "csq_duckdb_io"
RAW_TABLE = "csq/table"  # metadata of a raw asset: the name of its table in the lake

SYNC_REPORTS = dg.AssetKey.from_user_string(SYNC_REPORTS_ASSET)
MANIFESTS = dg.AssetKey.from_user_string(MANIFESTS_ASSET)
USER_IDENTITY = dg.AssetKey.from_user_string(IDENTITY_ASSET)
ALL_EVENTS_KEY = dg.AssetKey.from_user_string(ALL_EVENTS_ASSET)
META = dg.AssetKey(["csq", "meta"])
SNAPSHOT = dg.AssetKey(["csq", "snapshot"])


def raw_key(table: str) -> dg.AssetKey:
    """The decoded dumps of a table; also the property definitions, under their reserved name."""
    return dg.AssetKey.from_user_string(raw_asset(table))


def current_key(table: str) -> dg.AssetKey:
    """A table as analysts query it."""
    return dg.AssetKey.from_user_string(current_asset(table))


def step_name(key: dg.AssetKey) -> str:
    """The step that materializes the asset."""
    return key.to_python_identifier()


def partition_key(dump_id: int) -> str:
    return str(dump_id)


def dump_ids(partition_keys: Iterable[str]) -> list[int]:
    """The dumps of partitions, lowest first. Raises UsageError for a partition that a person added."""
    keys = list(partition_keys)
    for key in keys:
        if not key.isdecimal():
            raise UsageError(
                f'the partition "{key}" is not a dump',
                remedy="Delete it: partitions are added when dumps arrive.",
            )
    return sorted(map(int, keys))
