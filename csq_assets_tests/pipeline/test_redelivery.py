"""Redelivered dumps, late dumps, and partitions that were lost."""

from pathlib import Path

import pytest

from csq_assets.errors import StorageError
from csq_assets.lake.documents import content_hash
from csq_assets.pipeline.ingest import reevaluate
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.pipeline.passes import Passes, only_path


@pytest.mark.edge(5)
def test_a_late_dump_has_the_next_one_judged_again(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1}])
    passes.deliver(14, users=[{"user_id": 1, "plan": "free"}])
    passes.deliver(15, users=[{"user_id": 1, "plan": "free"}])
    assert passes.findings(14, "users") == {"column_drift": 'dump 14 adds "plan"'}

    passes.builder.deliver(13, users=[{"user_id": 1, "plan": "free"}])
    ingested = passes.decode(13, "users").ingested
    assert ingested is not None
    assert ingested.findings[0].description == 'dump 13 adds "plan"'
    assert ingested.next_dump_id == 14
    assert ingested.next_findings[0].description == "same columns as dump 13"
    assert passes.findings(13, "users") == {"column_drift": 'dump 13 adds "plan"'}
    assert passes.findings(14, "users") == passes.findings(15, "users") == {}


def test_a_dump_is_judged_against_the_numerically_previous_of_its_table(passes: Passes) -> None:
    passes.deliver(9, users=[{"user_id": 1}])
    passes.deliver(852, clicks=[{"a": 1}])
    passes.deliver(1000, users=[{"user_id": 1}, {"user_id": 2}])
    findings = reevaluate(passes.lake, "users", 1000)
    assert findings[0].description == "same columns as dump 9"


@pytest.mark.edge(7)
def test_a_redelivery_replaces_the_partition(either: Passes) -> None:
    either.deliver(12, users=[{"user_id": 1}, {"user_id": 2}])
    again = either.deliver(12, users=[{"user_id": 3, "plan": "pro"}], full_resync=True)
    assert either.rows("users", 12) == [{"user_id": 3, "plan": "pro"}]
    content = either.record(12, "users").content
    assert content is not None
    assert (content.manifest, content.incremental, content.rows) == (
        content_hash(again.body),
        False,
        1,
    )
    assert either.partitions() == {("users", 12)}


@pytest.mark.edge(7)
def test_a_redelivery_that_drops_a_table_drops_its_partition(either: Passes) -> None:
    either.deliver(12, users=[{"user_id": 1}], clicks=[{"a": 1}], property_definitions={"a": 1})
    either.deliver(13, clicks=[{"a": 1}])
    assert len(either.partitions()) == 4
    again = either.deliver(12, users=[{"user_id": 1}])
    assert either.partitions() == {("users", 12), ("clicks", 13)}
    record = either.lake.ledger.records().get(12)
    assert record is not None
    assert (record.manifest, [table.table for table in record.tables]) == (
        content_hash(again.body),
        ["users"],
    )


@pytest.mark.edge(7)
def test_a_partition_that_could_not_be_dropped_is_dropped_the_next_time(
    passes: Passes, tmp_path: Path
) -> None:
    passes.deliver(12, users=[{"user_id": 1}], clicks=[{"a": 1}])
    passes.builder.deliver(12, users=[{"user_id": 1}])
    passes.look()
    (partition,) = tmp_path.rglob("raw/clicks/dump_id=12/data.parquet")
    held = partition.rename(tmp_path / "held")
    partition.mkdir()  # which cannot be deleted like a file
    with pytest.raises(StorageError):
        passes.take(12)
    partition.rmdir()
    held.rename(partition)
    passes.take(12)
    assert passes.partitions() == {("users", 12)}


@pytest.mark.edge(7)
def test_a_redelivery_that_fails_leaves_the_earlier_content_in_force(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1, "plan": "a"}], full_resync=True)
    passes.deliver(13, users=[{"user_id": 1}])
    before = passes.record(12, "users")
    passes.deliver(12, users=[AvroFile([{"user_id": 9}], written=False)])
    after = passes.record(12, "users")
    assert passes.rows("users", 12) == [{"user_id": 1, "plan": "a"}]
    assert (after.content, after.incremental) == (before.content, True)
    assert after.failure is not None
    assert passes.findings(13, "users") == {"column_drift": 'dump 13 removes "plan"'}


def test_findings_of_the_earlier_content_go_with_it(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": None}, {"user_id": 1}])
    assert set(passes.findings(12, "users")) == {"keys_not_null"}
    passes.deliver(12, users=[{"user_id": 2}])
    assert passes.findings(12, "users") == {}


def test_partitions_that_were_lost_are_decoded_again_one_by_one(passes: Passes) -> None:
    for dump_id in (12, 13, 14):
        passes.deliver(dump_id, users=[{"user_id": dump_id}])
    for dump_id in (12, 13, 14):
        passes.lake.store.delete("users", dump_id)
    assert passes.lake.store.dumps_of("users") == []
    following = []
    for dump_id in (13, 12, 14):
        ingested = passes.attempt(dump_id, "users").ingested
        assert ingested is not None
        following.append(ingested.next_dump_id)
    assert following == [None, 13, None]
    assert passes.lake.store.dumps_of("users") == [12, 13, 14]


def test_a_lost_partition_that_cannot_be_decoded_again_is_a_gap(passes: Passes) -> None:
    delivery = passes.deliver(12, users=[{"user_id": 1}])
    passes.lake.store.delete("users", 12)
    passes.builder.delete(passes.builder.key_of(only_path(delivery)))
    assert passes.decode(12, "users").error is not None
    record = passes.record(12, "users")
    assert record.content is None
    assert record.failure is not None


def test_outcomes_of_several_processes_are_folded_into_one_record(passes: Passes) -> None:
    passes.builder.deliver(12, users=[{"user_id": 1}], clicks=[{"a": 1}])
    passes.look()
    passes.take(12)
    before = passes.lake.ledger.records()
    passes.attempt(12, "users")
    passes.attempt(12, "clicks")
    unfolded = passes.lake.ledger.records()
    assert [table.content is not None for table in unfolded[12].tables] == [True, True]
    assert before != unfolded
    assert passes.lake.ledger.fold() == unfolded
    assert passes.lake.ledger.records() == unfolded
    assert [found.key for found in passes.lake.store.objects.list("ledger/")] == ["ledger/12.json"]


@pytest.mark.edge(7)
def test_a_person_may_decode_a_redelivery_before_it_is_taken(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1}], clicks=[{"a": 1}])
    again = passes.builder.deliver(12, users=[{"user_id": 2}])
    passes.look()
    passes.attempt(12, "users")
    record = passes.lake.ledger.records()[12]
    assert (record.manifest, [table.table for table in record.tables]) == (
        content_hash(again.body),
        ["users"],
    )
    passes.lake.ledger.fold()
    assert passes.partitions() == {("users", 12)}
