"""Finds the ledger again from what the lake keeps beside it: manifests, and partitions' footers."""

from collections.abc import Iterator
from dataclasses import replace

from csq_assets.dataconnect.dump_records import DumpRecord, take_manifest
from csq_assets.errors import CsqError, StorageError
from csq_assets.lake.locations import Lake
from csq_assets.lake.partition_facts import read_content


def repair_ledger(lake: Lake) -> Iterator[tuple[int, CsqError | None]]:
    """Write the records that are lost or damaged again; gives their dumps, each with the error where it
    cannot be found again.

    A table that has no partition is due afterwards, and an earlier failure is forgotten. Raises
    StorageError where the lake cannot be read or written.
    """
    tables: dict[int, list[str]] = {}
    for table, dump_id in sorted(lake.store.partitions()):
        tables.setdefault(dump_id, []).append(table)
    for dump_id in sorted({*tables, *lake.ledger.dump_ids()}):
        try:
            if lake.ledger.record(dump_id) is not None:
                continue
        except StorageError:
            pass  # damaged: what follows replaces it
        try:
            lake.ledger.replace(_find_record(lake, dump_id, tables.get(dump_id, [])))
        except CsqError as error:
            yield dump_id, error.at(dump=dump_id)
        else:
            yield dump_id, None


def _find_record(lake: Lake, dump_id: int, tables: list[str]) -> DumpRecord:
    record = take_manifest(*lake.documents.manifest(dump_id), None)
    contents = {table: read_content(lake.store, table, dump_id) for table in tables}
    found = tuple(replace(table, content=contents.get(table.table)) for table in record.tables)
    # A redelivery that waits was kept already, but not taken.
    taken = {content.manifest for content in contents.values()} or {record.manifest}
    manifest = record.manifest if record.manifest in taken else min(taken)
    return DumpRecord(dump_id, manifest, found)
