"""Compaction and the expiry of snapshots, by Iceberg's own procedures."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from csq_assets.dataconnect.tables import ALL_EVENTS
from csq_assets.spark.iceberg import IcebergTable
from csq_assets.spark.identity_job import IdentityTable
from csq_assets.spark.messages import Answer, Maintain, Place
from csq_assets.spark.table_job import CurrentTable

# Files of positions of which the rewriting leaves nothing to delete.
_REWRITING = "map('remove-dangling-deletes', 'true')"


def maintain(spark: Any, place: Place, work: Maintain) -> Answer:
    """Compact every table, and expire snapshots. What is applied is written again after compaction, so
    that no older snapshot is needed for it; hidden rows are left alone, as commits name their snapshot.
    """
    identity, events = IdentityTable(spark, place), IcebergTable(spark, place, "", ALL_EVENTS)
    tables = [(identity.table, identity.note), (events, _note(events))]
    for name in work.tables:
        main = CurrentTable(spark, place, name).main
        tables.append((main, _note(main)))
    moment = datetime.now(UTC) - timedelta(days=work.keep_days)
    before = f"TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S}'"
    for table, note in tables:
        if table.head() is None:
            continue
        table.call("rewrite_data_files", options=_REWRITING)
        table.call("rewrite_position_delete_files")
        note()
        table.call("expire_snapshots", older_than=before, retain_last="2")
    return Answer("maintain")


def _note(table: IcebergTable) -> Callable[[], None]:
    head = table.head()
    return lambda: table.note(head[1]) if head else None
