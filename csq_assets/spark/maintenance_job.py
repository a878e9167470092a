"""Compaction and the expiry of snapshots, by Iceberg's own procedures."""

from datetime import UTC, datetime, timedelta
from typing import Any

from csq_assets.dataconnect.tables import ALL_EVENTS, catalog_name
from csq_assets.errors import StorageError
from csq_assets.spark.iceberg import Head, IcebergTable
from csq_assets.spark.identity_job import IdentityTable, lasting_state
from csq_assets.spark.messages import Answer, Maintain, Place

# Files of positions of which the rewriting leaves nothing to delete.
_REWRITING = "map('remove-dangling-deletes', 'true')"


def maintain(spark: Any, place: Place, work: Maintain) -> Answer:
    """Compact every table, and expire snapshots. What is applied is written again after compaction, so
    that no older snapshot is needed for it; hidden rows are left alone, as commits name their snapshot.
    A table that a refresh changes meanwhile keeps its snapshots until the next time.
    """
    moment = datetime.now(UTC) - timedelta(days=work.keep_days)
    before = f"TIMESTAMP '{moment:%Y-%m-%d %H:%M:%S}'"
    names = (ALL_EVENTS, *map(catalog_name, work.tables))
    tables = [(IcebergTable(spark, place, "", name), _same) for name in names]
    for table, again in ((IdentityTable(spark, place).table, lasting_state), *tables):
        if table.head() is None:
            continue
        table.call("rewrite_data_files", options=_REWRITING)
        table.call("rewrite_position_delete_files")
        head = table.head()
        try:
            if head:
                table.note(again(head), since=head.snapshot)
        except StorageError:  # the refresh has a state of its own
            continue
        table.call("expire_snapshots", older_than=before, retain_last="2")
    return Answer("maintain")


def _same(head: Head) -> Any:
    return head.state
