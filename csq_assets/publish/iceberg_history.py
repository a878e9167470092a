"""Snapshots of a published Iceberg table: tagged with their dumps, and ended when they are old.

`history.expire.max-snapshot-age-ms` and `history.expire.min-snapshots-to-keep` of the table say when,
as they do for every engine.
"""

from datetime import datetime, timedelta

from pyiceberg.table import Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.update.snapshot import ExpireSnapshots, ManageSnapshots

_AGE = ("history.expire.max-snapshot-age-ms", 432_000_000)  # Iceberg's defaults: five days
_KEPT = ("history.expire.min-snapshots-to-keep", 1)
_TAG = "dump_"


def tag(transaction: Transaction, snapshot_id: int, dump_id: str | None) -> None:
    """Name the snapshot `dump_<id>`, in place of an earlier one of that dump."""
    if dump_id is not None:
        with ManageSnapshots(transaction) as manage:
            manage.create_tag(snapshot_id, f"{_TAG}{dump_id}")


def expire(transaction: Transaction, now: datetime) -> None:
    """End the snapshots that are too old, and our tags on them. Tags and branches that somebody else
    made keep theirs."""
    metadata = transaction.table_metadata
    current = metadata.current_snapshot()
    newest = sorted(metadata.snapshots, key=lambda one: one.sequence_number or 0, reverse=True)
    kept = {one.snapshot_id for one in newest[: _number(metadata, *_KEPT)]}
    oldest = now - timedelta(milliseconds=_number(metadata, *_AGE))
    old = {
        one.snapshot_id
        for one in metadata.snapshots
        if one.timestamp_ms < oldest.timestamp() * 1000
        and one.snapshot_id not in kept
        and one is not current
    }
    _end(transaction, old, only_ours=True)


def forget(transaction: Transaction, keep: int) -> None:
    """End every snapshot but one, with the tags and branches on them, whoever made those."""
    metadata = transaction.table_metadata
    ended = {one.snapshot_id for one in metadata.snapshots} - {keep}
    _end(transaction, ended, only_ours=False)


def _end(transaction: Transaction, snapshots: set[int], *, only_ours: bool) -> None:
    refs = transaction.table_metadata.refs.items()
    with ManageSnapshots(transaction) as manage:
        for name, ref in refs:
            is_ours = name.startswith(_TAG) and ref.snapshot_ref_type is SnapshotRefType.TAG
            if ref.snapshot_id in snapshots and name != MAIN_BRANCH and (is_ours or not only_ours):
                manage.remove_tag(name)
    ended = snapshots - {ref.snapshot_id for ref in transaction.table_metadata.refs.values()}
    if ended:
        with ExpireSnapshots(transaction) as expire_snapshots:
            expire_snapshots.by_ids(sorted(ended))


def _number(metadata: TableMetadata, name: str, default: int) -> int:
    value = metadata.properties.get(name, "")
    return int(value) if value.isdecimal() else default
