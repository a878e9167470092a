"""Asset keys, partitions and states of runs: names are made here, and nowhere else."""

import dagster as dg

from csq_assets.dataconnect.checks import Subject, export_asset
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS, raw_asset

CSQ_DUMPS = dg.DynamicPartitionsDefinition(name="csq_dumps")

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

SYNC_REPORTS = dg.AssetKey.from_user_string(export_asset("sync_reports"))
MANIFESTS = dg.AssetKey.from_user_string(export_asset("manifests"))
EXTERNAL_KEYS: dict[Subject, dg.AssetKey] = {"sync_reports": SYNC_REPORTS, "manifests": MANIFESTS}


def raw_key(table: str) -> dg.AssetKey:
    """The decoded dumps of a table; also the property definitions, under their reserved name."""
    return dg.AssetKey.from_user_string(raw_asset(table))


PROPERTY_DEFINITIONS_KEY = raw_key(PROPERTY_DEFINITIONS)


def partition_key(dump_id: int) -> str:
    return str(dump_id)
