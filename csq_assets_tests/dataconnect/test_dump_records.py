"""What was taken, and what came of it."""

from dataclasses import replace

import pytest

from csq_assets.dataconnect.dump_records import (
    DumpRecord,
    Outcome,
    TableRecord,
    apply_outcomes,
    take_manifest,
)
from csq_assets.dataconnect.manifest import Manifest, TableDump
from csq_assets_tests.dataconnect.seen import applied, failed


def dump(table: str, *, incremental: bool = True, files: int = 1) -> TableDump:
    paths = tuple(f"s3://customer/{table}/{index}.avro" for index in range(files))
    return TableDump(12, table, incremental=incremental, columns=(), files=paths)


def new(table: str, *, incremental: bool = True, files: int = 1) -> TableRecord:
    return TableRecord(table, incremental, files)


def test_a_new_dump_is_entered_with_its_tables_in_the_manifests_order() -> None:
    manifest = Manifest(12, (dump("users", incremental=False, files=3), dump("clicks", files=0)))
    assert take_manifest(manifest, "a", None) == DumpRecord(
        12, "a", (new("users", incremental=False, files=3), new("clicks", files=0))
    )


@pytest.mark.edge(13)
def test_a_dump_without_tables_is_entered() -> None:
    assert take_manifest(Manifest(12, ()), "a", None) == DumpRecord(12, "a", ())


def test_property_definitions_stand_among_the_tables() -> None:
    manifest = Manifest(12, (dump("users"),), "s3://customer/p.json")
    assert take_manifest(manifest, "a", None) == DumpRecord(
        12, "a", (new("users"), new("property_definitions", incremental=False))
    )


def test_a_table_of_the_reserved_name_gives_way_to_the_definitions() -> None:
    manifest = Manifest(12, (dump("property_definitions", files=7), dump("users")), "s3://c/p.json")
    assert take_manifest(manifest, "a", None).tables == (
        new("users"),
        new("property_definitions", incremental=False),
    )


@pytest.mark.edge(6)
def test_the_same_manifest_leaves_the_record_as_it_is() -> None:
    known = DumpRecord(12, "a", (applied("users"), failed("clicks")))
    manifest = Manifest(12, (dump("users"), dump("clicks")))
    assert take_manifest(manifest, "a", known) == known


@pytest.mark.edge(7)
def test_what_is_redelivered_keeps_its_content_until_it_is_decoded() -> None:
    known = DumpRecord(12, "a", (applied("users"), applied("clicks"), failed("gone")))
    manifest = Manifest(12, (dump("new"), dump("users", incremental=False, files=2)))
    assert take_manifest(manifest, "b", known) == DumpRecord(
        12, "b", (new("new"), replace(applied("users"), incremental=False, files=2))
    )


def outcome(record: TableRecord, manifest: str = "a") -> Outcome:
    return Outcome(12, record.table, manifest, content=record.content, failure=record.failure)


def no_manifest() -> tuple[Manifest, str]:
    raise AssertionError("the manifest is taken already")


def test_an_outcome_changes_the_record_of_its_table_alone() -> None:
    record = DumpRecord(12, "a", (new("users"), new("clicks")))
    outcomes = [outcome(applied("users")), outcome(applied("sessions"))]
    after = apply_outcomes(record, outcomes, no_manifest)
    assert after == DumpRecord(12, "a", (applied("users"), new("clicks")))
    assert apply_outcomes(None, [Outcome(12, "users", "a")], no_manifest) is None


def test_an_outcome_of_another_manifest_takes_the_newest_one() -> None:
    manifest = Manifest(12, (dump("users"), dump("new")))
    taken = DumpRecord(12, "b", (applied("users", "b"), new("new")))
    for known in (None, DumpRecord(12, "a", (applied("users"), applied("gone")))):
        after = apply_outcomes(
            known, [outcome(applied("users", "b"), "b")], lambda: (manifest, "b")
        )
        assert after == taken
