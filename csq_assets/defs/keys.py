"""Asset keys, partitions and states of runs: names are made here, and nowhere else."""

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

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

SYNC_REPORTS = dg.AssetKey.from_user_string(SYNC_REPORTS_ASSET)
MANIFESTS = dg.AssetKey.from_user_string(MANIFESTS_ASSET)
USER_IDENTITY = dg.AssetKey.from_user_string(IDENTITY_ASSET)
ALL_EVENTS_KEY = dg.AssetKey.from_user_string(ALL_EVENTS_ASSET)


def raw_key(table: str) -> dg.AssetKey:
    """The decoded dumps of a table; also the property definitions, under their reserved name."""
    return dg.AssetKey.from_user_string(raw_asset(table))


def current_key(table: str) -> dg.AssetKey:
    """A table as analysts query it."""
    return dg.AssetKey.from_user_string(current_asset(table))


def partition_key(dump_id: int) -> str:
    return str(dump_id)


def dump_ids(partition_keys: Iterable[str]) -> list[int]:
    """The dumps of partitions, lowest first. Raises UsageError for one that a person added."""
    for key in partition_keys:
        if not key.isdecimal():
            raise UsageError(
                f'the partition "{key}" is no dump',
                remedy="Delete it: partitions are added as dumps arrive.",
            )
    return sorted(map(int, partition_keys))
