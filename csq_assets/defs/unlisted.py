"""Dumps that do not list a table: their partitions are recorded as materialized, without rows.

All tables share one set of partitions, because one run decodes all tables of a dump. So a partition
that is "missing" is one to act on: its dump is pending, or was canceled.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

import dagster as dg

from csq_assets.dataconnect.catalog import Catalog
from csq_assets.defs.keys import Keys, partition_key
from csq_assets.markdown import plain

_DATA_VERSION, _COLUMNS = "dagster/data_version", "dagster/column_schema"
_AT_ONCE = 1_000  # events in one evaluation of the sensor, which has a minute


def record_unlisted(
    instance: dg.DagsterInstance, keys: Keys, catalog: Catalog, tables: Sequence[str]
) -> None:
    """Record them for each of `tables`, a bounded number at a time. Does nothing where neither the
    dumps nor the tables changed since all were recorded.

    The events have no data version. Without one, a new partition does not make a current table stale.
    """
    marker, found = keys.tag("unlisted"), f"{catalog.fingerprint} {tables}"
    cursors = instance.daemon_cursor_storage
    if cursors.get_cursor_values({marker}).get(marker) == found:
        return
    left = _AT_ONCE
    for table in tables:
        for event in islice(
            _events(instance, keys.raw(table), table, catalog.dumps_without(table)), left
        ):
            instance.report_runless_asset_event(event)
            left -= 1
    if left:
        cursors.set_cursor_values({marker: found})


def _events(
    instance: dg.DagsterInstance, key: dg.AssetKey, table: str, dumps: Collection[int]
) -> Iterator[dg.AssetMaterialization]:
    recorded = instance.get_materialized_partitions(key) - _decoded(instance, key)
    missing = [dump_id for dump_id in dumps if partition_key(dump_id) not in recorded]
    newest = instance.get_latest_materialization_event(key) if missing else None
    known = newest.asset_materialization if newest else None
    columns = (
        known.metadata.get(_COLUMNS) if known else None
    )  # the UI shows those of the newest event
    for dump_id in missing:
        yield dg.AssetMaterialization(
            key,
            partition=partition_key(dump_id),
            description=plain(f"dump {dump_id} does not list {table}"),
            metadata={"dagster/partition_row_count": 0, **({_COLUMNS: columns} if columns else {})},
        )


def _decoded(instance: dg.DagsterInstance, key: dg.AssetKey) -> set[str]:
    """The partitions whose newest materialization has a data version, so rows."""
    return set(
        instance.event_log_storage.get_latest_tags_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION, [_DATA_VERSION]
        )
    )
