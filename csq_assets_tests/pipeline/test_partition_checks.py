"""What the checks find on partitions: when they are decoded, and later."""

import pytest

from csq_assets.dataconnect.check_registry import Severity, Table
from csq_assets.dataconnect.dump_records import Outcome
from csq_assets.errors import StorageError
from csq_assets.pipeline.ingest import reevaluate
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.dataconnect.seen import not_passed, passed
from csq_assets_tests.pipeline.passes import Passes, only_path

WARN, ERROR = Severity.WARN, Severity.ERROR


@pytest.mark.edge(28, 29, 30)
def test_files_of_different_fields_are_united_by_name(passes: Passes) -> None:
    passes.deliver(
        12,
        users=[
            AvroFile([{"user_id": 1, "plan": "free"}]),
            AvroFile([{"city": "Ulm", "user_id": 2}]),
        ],
        columns={"users": ["plan", "user_id", "tier"]},
    )
    assert passes.rows("users", 12) == [
        {"plan": "free", "user_id": 1, "tier": None, "city": None},
        {"plan": None, "user_id": 2, "tier": None, "city": "Ulm"},
    ]
    assert passes.findings(12, "users") == {
        "columns_match_manifest": (
            'dump 12: "plan" is missing in 1 of 2 files; "tier" is missing in 2 of 2 files; '
            '"city" is not listed, in 1 of 2 files'
        )
    }


@pytest.mark.edge(40)
def test_nulls_in_a_key_are_kept_and_told(passes: Passes) -> None:
    rows = [
        {"user_id": 1, "event_id": None},
        {"user_id": None, "event_id": None},
        {"user_id": 2, "event_id": 3},
    ]
    passes.deliver(12, pageviews=rows)
    assert passes.rows("pageviews", 12) == rows
    assert passes.findings(12, "pageviews") == {
        "keys_not_null": "user_id is null in 1, event_id is null in 2 of 3 rows"
    }


@pytest.mark.edge(69)
def test_a_column_that_came_warns_and_one_that_went_is_an_error(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1, "tier": "a"}])
    passes.deliver(13, users=[{"user_id": 1, "tier": "a", "plan": "b"}])
    passes.deliver(14, users=[{"user_id": 1, "plan": "b"}])
    assert passes.record(13, "users").findings == (
        not_passed("column_drift", WARN, 'dump 13 adds "plan"'),
    )
    assert passes.record(14, "users").findings == (
        not_passed("column_drift", ERROR, 'dump 14 removes "tier"'),
    )


@pytest.mark.edge(58, 70)
def test_a_column_of_another_avro_type_is_readable_and_an_error(passes: Passes) -> None:
    passes.deliver(12, user_migrations=[{"from_user_id": 1, "to_user_id": 2}])
    passes.deliver(13, user_migrations=[{"from_user_id": "1", "to_user_id": 2}])
    for dump_id in (12, 13):
        assert passes.rows("user_migrations", dump_id) == [{"from_user_id": "1", "to_user_id": "2"}]
    assert passes.record(13, "user_migrations").findings == (
        not_passed("column_drift", ERROR, 'dump 13 changes "from_user_id" from long to string'),
    )


def test_nullable_and_reordered_is_no_drift(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1, "plan": "free"}])
    passes.deliver(13, users=[{"plan": None, "user_id": 1}, {"plan": "pro", "user_id": None}])
    assert set(passes.findings(13, "users")) == {"keys_not_null"}


def test_a_partition_can_be_checked_again_without_its_files(either: Passes) -> None:
    either.deliver(12, users=[{"user_id": 1}])
    delivery = either.deliver(13, users=[{"user_id": 1, "plan": "free"}, {"user_id": None}])
    findings = either.record(13, "users").findings
    either.lake.ledger.add(Outcome(13, "users", ""))  # as if nothing had been found
    assert either.record(13, "users").findings == ()
    either.builder.delete(either.builder.key_of(only_path(delivery)))

    assert reevaluate(either.lake, "users", 13) == (
        not_passed("column_drift", WARN, 'dump 13 adds "plan"'),
        passed("columns_match_manifest", WARN, "files and manifest agree"),
        passed("text_valid", WARN, "all text is UTF-8"),
        not_passed("keys_not_null", WARN, "user_id is null in 1 of 2 rows"),
    )
    assert [one.check for one in findings] == ["column_drift", "keys_not_null"]
    assert either.record(13, "users").findings == findings


def test_a_partition_that_is_missing_cannot_be_checked(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1}])
    passes.lake.store.delete("users", 12)
    with pytest.raises(StorageError, match=r"^dump 12, table users: .* cannot be read: "):
        reevaluate(passes.lake, "users", 12)


def test_the_metadata_of_drift_have_lists_counts_and_a_table(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1, "tier": "a", "age": 1}])
    passes.builder.deliver(13, users=[{"user_id": 1, "plan": "b", "age": "1"}])
    drift, *_ = passes.decode(13, "users").findings
    assert drift.metadata == {
        "compared_with_dump": 12,
        "added": ("plan",),
        "removed": ("tier",),
        "retyped": ("age",),
        "added_count": 1,
        "removed_count": 1,
        "retyped_count": 1,
        "changes": Table(
            ("column", "before", "now"),
            (("plan", "", "added"), ("tier", "removed", ""), ("age", "long", "string")),
        ),
    }
