"""The ledger, over a directory and over a bucket."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from csq_assets.dataconnect.check_registry import Finding, Severity
from csq_assets.dataconnect.dump_records import DumpRecord, Outcome, TableRecord
from csq_assets.errors import StorageError
from csq_assets.lake.directory import DirectoryStore
from csq_assets.lake.ledger import LedgerMemory
from csq_assets.lake.locations import Lake, lake_of, open_lake
from csq_assets.lake.objects import ObjectStore
from csq_assets_tests.dataconnect.seen import applied, failed

FINDING = Finding("column_drift", passed=False, severity=Severity.ERROR, description="größer")
CONTENT, FAILURE = applied("users").content, failed("users").failure


def store(objects: ObjectStore, record: DumpRecord) -> None:
    objects.put(f"ledger/{record.dump_id}.json", TypeAdapter(DumpRecord).dump_json(record))


def test_there_are_no_records_at_first(lake: Lake) -> None:
    assert (lake.ledger.records(), lake.ledger.fold()) == ({}, {})


def test_a_record_is_read_as_it_was_written(lake: Lake, objects: ObjectStore) -> None:
    failure = failed("clicks").failure
    assert failure is not None
    placed = replace(failure, file="s3://customer/größe.avro", file_state="missing")
    record = DumpRecord(
        12,
        "c0ffee",
        (
            TableRecord("new", incremental=False, files=0),
            replace(applied("users", rows=120), findings=(FINDING, FINDING)),
            replace(applied("clicks", incremental=False), failure=placed),
        ),
    )
    store(objects, record)
    assert lake.ledger.records() == {12: record}


def test_records_are_in_numeric_order_and_other_files_are_ignored(
    lake: Lake, objects: ObjectStore
) -> None:
    for dump_id in (1008461850, 9, 852, 0):
        store(objects, DumpRecord(dump_id, "a"))
    objects.put("ledger/notes.json", b"mine")
    assert list(lake.ledger.records()) == [0, 9, 852, 1008461850]


def test_the_newest_outcome_of_a_table_counts(lake: Lake, objects: ObjectStore) -> None:
    untried = TableRecord("users", incremental=True, files=1)
    store(objects, DumpRecord(12, "a", (untried,)))
    assert CONTENT is not None
    lake.ledger.add(Outcome(12, "users", "a", failure=FAILURE))
    lake.ledger.add(Outcome(12, "users", "a", content=CONTENT, findings=(FINDING,)))
    expected = DumpRecord(12, "a", (replace(untried, content=CONTENT, findings=(FINDING,)),))
    assert lake.ledger.records() == {12: expected}
    lake.ledger.add(Outcome(12, "users", "a", failure=FAILURE))
    lake.ledger.add(Outcome(12, "gone", "a", content=CONTENT))
    records = lake.ledger.fold()
    assert lake.ledger.records() == records
    (table,) = records[12].tables
    assert (table.content, table.failure, table.findings) == (CONTENT, FAILURE, (FINDING,))
    lake.ledger.add(Outcome(12, "users", "a", failure=FAILURE, lost=True))
    (table,) = lake.ledger.records()[12].tables
    assert (table.content, table.findings) == (None, ())


@pytest.mark.parametrize("key", ["ledger/12.json", "ledger/12/1.json"])
def test_a_damaged_document_is_reported_by_its_place(
    lake: Lake, objects: ObjectStore, key: str
) -> None:
    for body in (b"", b"{", b"[]", b'{"dump_id": "x"}'):
        objects.put(key, body)
        with pytest.raises(StorageError) as refused:
            lake.ledger.records()
        assert str(refused.value).startswith(f"{objects.url}/{key} is damaged: ")


def test_what_is_remembered_is_what_is_there(directory_objects: DirectoryStore) -> None:
    """Also where a record is replaced within the same tick of the clock by one as long as it."""
    lake = lake_of(directory_objects)
    for manifest in "abcabc":
        store(directory_objects, DumpRecord(12, manifest))
        os.utime(directory_objects.root / "ledger" / "12.json", (1e10, 1e10))
        assert lake.ledger.records() == {12: DumpRecord(12, manifest)}


def test_what_was_deleted_is_not_remembered(directory_objects: DirectoryStore) -> None:
    memory = LedgerMemory()
    lake = lake_of(directory_objects, memory)
    for dump_id in (12, 13):
        store(directory_objects, DumpRecord(dump_id, "a"))
        os.utime(directory_objects.root / "ledger" / f"{dump_id}.json", (1, 1))
    assert list(lake.ledger.records()) == [12, 13]
    directory_objects.delete("ledger/12.json")
    assert lake.ledger.records() == {13: DumpRecord(13, "a")}
    assert list(memory.records.values()) == [DumpRecord(13, "a")]


def test_an_outcome_counts_beside_a_record_that_is_remembered(
    directory_objects: DirectoryStore,
) -> None:
    lake = lake_of(directory_objects)
    untried = TableRecord("users", incremental=True, files=1)
    store(directory_objects, DumpRecord(12, "a", (untried,)))
    os.utime(directory_objects.root / "ledger" / "12.json", (1, 1))
    assert lake.ledger.fold() == {12: DumpRecord(12, "a", (untried,))}
    lake.ledger.add(Outcome(12, "users", "a", content=CONTENT))
    expected = {12: DumpRecord(12, "a", (replace(untried, content=CONTENT),))}
    assert [lake.ledger.fold(), lake.ledger.records()] == [expected, expected]


def test_a_process_reads_a_record_of_a_lake_once(tmp_path: Path) -> None:
    """However often the lake is opened; a record that another process writes again is read."""
    url, other = str(tmp_path / "lake"), str(tmp_path / "other")
    objects = open_lake(url, no_client).store.objects
    assert isinstance(objects, DirectoryStore)
    path = objects.root / "ledger" / "12.json"
    store(objects, DumpRecord(12, "a"))
    os.utime(path, (1, 1))
    assert open_lake(url, no_client).ledger.records() == {12: DumpRecord(12, "a")}
    path.write_bytes(path.read_bytes().replace(b'"a"', b'"b"'))
    os.utime(path, (1, 1))  # as long and as old as before: only reading it shows that it is another
    assert open_lake(url, no_client).ledger.records() == {12: DumpRecord(12, "a")}
    os.utime(path, (2, 2))
    assert open_lake(url, no_client).ledger.records() == {12: DumpRecord(12, "b")}
    assert open_lake(other, no_client).ledger.records() == {}


def no_client() -> None:
    raise AssertionError("a directory takes no client")
