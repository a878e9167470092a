"""Dumps that come again, partitions that were lost."""

from pathlib import Path

import pytest

from csq_assets.errors import StorageError
from csq_assets.lake.documents import content_hash
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.lake.passes import Passes, only_path


@pytest.mark.edge(5)
def test_a_late_dump_has_the_next_one_judged_again(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1}])
    passes.deliver(14, users=[{"user_id": 1, "plan": "free"}])
    passes.deliver(15, users=[{"user_id": 1, "plan": "free"}])
    assert passes.findings(14, "users") == {"column_drift": 'dump 14 adds "plan"'}

    passes.builder.deliver(13, users=[{"user_id": 1, "plan": "free"}])
    outcome = passes.decode(13, "users")
    assert [one.dump_id for one in outcome.judged] == [13, 14]
    assert [one.findings[0].description for one in outcome.judged] == [
        'dump 13 adds "plan"',
        "same columns as dump 13",
    ]
    assert passes.findings(13, "users") == {"column_drift": 'dump 13 adds "plan"'}
    assert passes.findings(14, "users") == passes.findings(15, "users") == {}


def test_a_dump_is_judged_against_the_numerically_previous_of_its_table(passes: Passes) -> None:
    passes.deliver(9, users=[{"user_id": 1}])
    passes.deliver(852, clicks=[{"a": 1}])
    passes.deliver(1000, users=[{"user_id": 1}, {"user_id": 2}])
    judged = passes.begin().judge(1000, "users")
    assert judged.findings[0].description == "same columns as dump 9"


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
    record = either.lake.documents.record(12)
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
        passes.begin().take(12)
    partition.rmdir()
    held.rename(partition)
    passes.begin().take(12)
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
    state = after.state(12)
    assert state is not None
    assert (state.has_content, state.failed, state.incremental) == (True, True, False)
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
    decoding = passes.begin()
    assert list(decoding.contents("users")) == []
    judged = []
    for dump_id in (13, 12, 14):
        outcome = decoding.decode(dump_id, "users")
        assert outcome is not None
        judged.append([one.dump_id for one in outcome.judged])
    assert judged == [[13], [12, 13], [14]]
    assert passes.partitions() == {("users", 12), ("users", 13), ("users", 14)}
    assert sorted(decoding.contents("users")) == [12, 13, 14]


def test_a_lost_partition_that_cannot_be_decoded_again_is_a_gap(passes: Passes) -> None:
    delivery = passes.deliver(12, users=[{"user_id": 1}])
    passes.lake.store.delete("users", 12)
    passes.builder.delete(passes.builder.key_of(only_path(delivery)))
    assert passes.decode(12, "users").error is not None
    record = passes.record(12, "users")
    assert record.content is None
    state = record.state(12)
    assert state is not None
    assert (state.has_content, state.failed) == (False, True)


def test_two_passes_may_meet_at_one_dump(passes: Passes) -> None:
    passes.builder.deliver(12, users=[{"user_id": 1}], clicks=[{"a": 1}])
    passes.look()
    first, second = passes.begin(), passes.begin()
    first.decode(12, "users")
    second.decode(12, "clicks")
    assert passes.partitions() == {("users", 12), ("clicks", 12)}
    assert passes.record(12, "users").content is not None
    assert passes.record(12, "clicks").content is not None
