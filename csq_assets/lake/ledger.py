"""The ledger: what was taken of each dump, and what became of its tables.

`ledger/<dump_id>.json` is the record of a dump. Every attempt to decode a table adds an outcome in a
file of its own, `ledger/<dump_id>/<name>.json`, so that several processes can write at once. The next
pass folds outcomes into records.
"""

import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from csq_assets.dataconnect.dump_records import (
    DumpRecord,
    Outcome,
    apply_outcomes,
    take_manifest,
)
from csq_assets.lake.documents import LakeDocuments, side_by_side
from csq_assets.lake.objects import ObjectStore
from csq_assets.lake.store import LakeStore

_FOLDER = "ledger/"
_REPAIR = "Run csq doctor --repair: it finds what it said again from the partitions."
_RECORDS, _OUTCOMES = TypeAdapter(DumpRecord), TypeAdapter(Outcome)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One dump: its record as stored, the keys of its outcomes, and its record with those."""

    stored: DumpRecord | None
    outcomes: tuple[str, ...]
    record: DumpRecord | None


class Ledger:
    """The records of all dumps.

    Methods raise StorageError where the lake cannot be used, or a document in it is damaged.
    """

    def __init__(self, objects: ObjectStore, documents: LakeDocuments, store: LakeStore) -> None:
        self._objects = objects
        self._documents = documents
        self._store = store

    def records(self) -> dict[int, DumpRecord]:
        """Every dump that was taken, lowest id first."""
        return {entry.record.dump_id: entry.record for entry in self._entries() if entry.record}

    def dump_ids(self) -> list[int]:
        """The dumps of which something is stored, lowest first."""
        return sorted(self._keys())

    def record(self, dump_id: int) -> DumpRecord | None:
        """One dump. Raises StorageError where what is stored of it is damaged."""
        return self._read(dump_id, self._keys().get(dump_id, [])).record

    def replace(self, record: DumpRecord) -> None:
        """Put the record in the place of all that is stored of the dump."""
        keys = self._keys().get(record.dump_id, [])
        self._replace(None, record)
        kept = f"{_FOLDER}{record.dump_id}.json"
        side_by_side(self._objects.delete, [key for key in keys if key != kept])

    def add(self, outcome: Outcome) -> None:
        """Remember what an attempt ended with."""
        key = f"{_FOLDER}{outcome.dump_id}/{time.time_ns():020}-{uuid.uuid4().hex}.json"
        self._objects.put(key, _OUTCOMES.dump_json(outcome, exclude_defaults=True))

    def fold(self) -> dict[int, DumpRecord]:
        """Write outcomes into their records; gives all records. For one process at a time."""
        records: dict[int, DumpRecord] = {}
        for entry in self._entries():
            if entry.record is None:
                continue
            records[entry.record.dump_id] = entry.record
            if entry.outcomes:
                self._replace(entry.stored, entry.record)
                side_by_side(self._objects.delete, entry.outcomes)
        return records

    def take(self, dump_ids: Iterable[int], records: Mapping[int, DumpRecord]) -> None:
        """Enter the newest manifest of each dump. Partitions of tables that it no longer lists are
        deleted. `records` are those that `fold` gave.

        Raises StorageError where the manifest of a dump was not kept.
        """

        def take_dump(dump_id: int) -> None:
            known = records.get(dump_id)
            self._replace(known, take_manifest(*self._documents.manifest(dump_id), known))

        side_by_side(take_dump, dump_ids)

    def _replace(self, known: DumpRecord | None, record: DumpRecord) -> None:
        # Partitions first: after a kill in between, the stored record still lists them.
        for old in known.tables if known else ():
            if record.table(old.table) is None:
                self._store.delete(old.table, record.dump_id)
        if record != known:
            body = _RECORDS.dump_json(record, exclude_defaults=True)
            self._objects.put(f"{_FOLDER}{record.dump_id}.json", body)

    def _entries(self) -> list[_Entry]:
        keys = self._keys()
        return side_by_side(lambda dump_id: self._read(dump_id, keys[dump_id]), sorted(keys))

    def _keys(self) -> dict[int, list[str]]:
        keys: dict[int, list[str]] = {}
        for found in self._objects.list(_FOLDER):
            dump_id = found.key.removeprefix(_FOLDER).removesuffix(".json").partition("/")[0]
            if dump_id.isdecimal():
                keys.setdefault(int(dump_id), []).append(found.key)
        return keys

    def _read(self, dump_id: int, keys: list[str]) -> _Entry:
        stored = self._documents.read(f"{_FOLDER}{dump_id}.json", _RECORDS, _REPAIR)
        outcomes = tuple(sorted(key for key in keys if key.count("/") > 1))  # by time
        found = [self._documents.read(key, _OUTCOMES, _REPAIR) for key in outcomes]
        record = apply_outcomes(
            stored,
            [outcome for outcome in found if outcome],
            lambda: self._documents.manifest(dump_id),
        )
        return _Entry(stored, outcomes, record)
