"""The ledger: what was taken of each dump, and what became of its tables.

`ledger/<dump_id>.json` is the record of a dump. Every attempt to decode a table adds an outcome in a
file of its own, `ledger/<dump_id>/<name>.json`, so that several processes can write at once. The next
pass folds outcomes into records.
"""

import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic import TypeAdapter

from csq_assets.dataconnect.catalog import Delivered
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
_SETTLED_AFTER = timedelta(minutes=1)
_RECORDS, _OUTCOMES = TypeAdapter(DumpRecord), TypeAdapter(Outcome)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One dump: its record as stored, the keys of its outcomes, and its record with those."""

    stored: DumpRecord | None
    outcomes: tuple[str, ...]
    record: DumpRecord | None


@dataclass(slots=True)
class LedgerMemory:
    """The records as they were listed and read last: a pass reads them again and again.

    A record that is written again has another modification time, unless both are within one tick of
    the clock of whoever keeps it. So the memory has none that was written within the last minute.
    """

    records: Mapping[Delivered, DumpRecord] = field(default_factory=dict[Delivered, DumpRecord])


class Ledger:
    """The records of all dumps. What `memory` has is not read, as long as its object is the same.

    Methods raise StorageError where the lake cannot be used, or a document in it is damaged.
    """

    def __init__(
        self,
        objects: ObjectStore,
        documents: LakeDocuments,
        store: LakeStore,
        memory: LedgerMemory,
    ) -> None:
        self._objects = objects
        self._documents = documents
        self._store = store
        self._memory = memory

    def records(self) -> dict[int, DumpRecord]:
        """Every dump that was taken, lowest id first."""
        return {entry.record.dump_id: entry.record for entry in self._entries() if entry.record}

    def dump_ids(self) -> list[int]:
        """The dumps of which something is stored, lowest first."""
        return sorted(self._listed())

    def record(self, dump_id: int) -> DumpRecord | None:
        """One dump. Raises StorageError where what is stored of it is damaged."""
        return self._read(dump_id, self._listed().get(dump_id, [])).record

    def replace(self, record: DumpRecord) -> None:
        """Put the record in the place of all that is stored of the dump."""
        listed = self._listed().get(record.dump_id, [])
        self._replace(None, record)
        kept = f"{_FOLDER}{record.dump_id}.json"
        side_by_side(self._objects.delete, [one.key for one in listed if one.key != kept])

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
        settled = datetime.now(UTC) - _SETTLED_AFTER
        listed = self._listed()
        dump_ids = sorted(listed)
        entries = side_by_side(lambda dump_id: self._read(dump_id, listed[dump_id]), dump_ids)
        self._memory.records = {
            found: entry.stored
            for dump_id, entry in zip(dump_ids, entries, strict=True)
            for found in listed[dump_id]
            if found.modified < settled and entry.stored and not _is_outcome(found)
        }
        return entries

    def _listed(self) -> dict[int, list[Delivered]]:
        listed: dict[int, list[Delivered]] = {}
        for found in self._objects.list(_FOLDER):
            dump_id = found.key.removeprefix(_FOLDER).removesuffix(".json").partition("/")[0]
            if dump_id.isdecimal():
                listed.setdefault(int(dump_id), []).append(found)
        return listed

    def _read(self, dump_id: int, listed: list[Delivered]) -> _Entry:
        if len(listed) == 1 and (known := self._memory.records.get(listed[0])):
            return _Entry(known, (), known)
        stored = self._documents.read(f"{_FOLDER}{dump_id}.json", _RECORDS, _REPAIR)
        outcomes = tuple(sorted(one.key for one in listed if _is_outcome(one)))  # by time
        found = [self._documents.read(key, _OUTCOMES, _REPAIR) for key in outcomes]
        record = apply_outcomes(
            stored,
            [outcome for outcome in found if outcome],
            lambda: self._documents.manifest(dump_id),
        )
        return _Entry(stored, outcomes, record)


def _is_outcome(listed: Delivered) -> bool:
    return listed.key.count("/") > 1
