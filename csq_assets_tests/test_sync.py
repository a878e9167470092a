"""A headless pass, end to end: over a directory, and over a bucket."""

from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from csq_assets.errors import UsageError
from csq_assets.summary import CheckSummary, DumpSummary, TableSummary
from csq_assets.sync import run_sync
from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.platform import KEYS, Listener, Platform


def applied(table: str, *, rows: int, incremental: bool = True) -> TableSummary:
    """A table of one file that went through."""
    return TableSummary(table, incremental, 1, rows, "applied", None)


def test_a_dump_becomes_partitions_and_checks(either_platform: Platform) -> None:
    delivery = either_platform.deliver(
        12, users=[{"user_id": 1, "plan": "free"}, {"user_id": 2, "plan": None}], full_resync=True
    )
    summary = either_platform.sync()
    assert summary.errors == ()
    assert summary.dumps == (DumpSummary(12, (applied("users", rows=2, incremental=False),)),)
    assert {(check.asset, check.check, check.partition) for check in summary.checks} == {
        ("csq/sync_reports", "sync_succeeded", None),
        ("csq/sync_reports", "sync_on_time", None),
        ("csq/manifests", "manifest_readable", None),
        ("csq/raw/users", "column_drift", "12"),
        ("csq/raw/users", "columns_match_manifest", "12"),
        ("csq/raw/users", "text_valid", "12"),
        ("csq/raw/users", "keys_not_null", "12"),
        ("csq/raw/users", "text_valid", "12"),
        ("csq/user_identity", "migrations_resolve", None),
        ("csq/current/users", "unique_key", None),
        ("csq/current/users", "rows_reconcile", None),
        ("csq/current/users", "complete", None),
        ("csq/current/users", "no_gap", None),
        ("csq/current/users", "columns_kept", None),
        ("csq/current/users", "type_widened", None),
    }
    assert (summary.standing, summary.exit_code) == ((), 0)
    expected = pl.DataFrame(
        {
            "user_id": [1, 2],
            "plan": ["free", None],
            "_dump_id": [12, 12],
            "_source_file": [delivery.paths["users"][0]] * 2,
            "_source_row": [0, 1],
        }
    )
    assert either_platform.raw("users", 12).equals(expected)
    assert either_platform.rows("users") == [
        {"user_id": 1, "plan": "free", "_dump_id": 12},
        {"user_id": 2, "plan": None, "_dump_id": 12},
    ]


def test_a_second_pass_has_nothing_to_do(either_platform: Platform) -> None:
    either_platform.deliver(12, users=[{"user_id": 1}])
    either_platform.sync()
    summary = either_platform.sync()
    assert (summary.dumps, summary.checks, summary.exit_code) == ((), (), 0)


def test_of_dumps_delivered_again_each_check_is_told_as_it_ends(platform: Platform) -> None:
    for dump_id in (12, 13, 14):
        platform.deliver(dump_id, users=[{"user_id": 1, "plan": "free"}])
    assert platform.sync().exit_code == 0
    for dump_id in (12, 13, 14):  # in between, 13 has "plan" and 12 has not
        platform.deliver(dump_id, users=[{"user_id": 1}])
    summary = platform.sync()
    told = [(check.asset, check.check, check.partition) for check in summary.checks]
    assert sorted(told, key=str) == sorted(set(told), key=str)
    assert [
        (check.check, check.severity, check.description)
        for check in summary.checks
        if not check.passed
    ] == [("columns_kept", "WARN", 'dump 14 removes "plan"')]
    assert ("csq/raw/users", "column_drift", "14") in told


@pytest.mark.edge(4)
def test_dumps_are_taken_in_numeric_order(platform: Platform) -> None:
    for dump_id in (1008461850, 852, 9):
        platform.deliver(dump_id, users=[{"user_id": dump_id}])
    assert [dump.dump_id for dump in platform.sync().dumps] == [9, 852, 1008461850]
    assert platform.instance.get_dynamic_partitions("csq_dumps") == ["9", "852", "1008461850"]


@pytest.mark.edge(23, 50)
def test_a_missing_file_fails_its_partition_and_holds_what_follows(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], sessions=[{"user_id": 1, "session_id": 5}])
    broken = platform.deliver(
        13, users=[{"user_id": 2}], sessions=[{"user_id": 2, "session_id": 6}]
    )
    platform.deliver(14, users=[{"user_id": 3}])
    lost = broken.paths["users"][0]
    kept = platform.export.get(platform.export.key_of(lost))
    platform.export.delete(platform.export.key_of(lost))

    summary = platform.sync()
    error = (
        f"dump 13, table users, file {lost}: there is no such file. "
        "Ask Contentsquare to redeliver the dump, or replace the file in place."
    )
    assert (summary.exit_code, summary.errors) == (1, (error,))
    statuses = {
        (dump.dump_id, table.table): (table.status, table.error)
        for dump in summary.dumps
        for table in dump.tables
    }
    assert statuses == {
        (12, "users"): ("applied", None),
        (12, "sessions"): ("applied", None),
        (13, "users"): ("failed", error),
        (13, "sessions"): ("applied", None),
        (14, "users"): ("held", None),
    }
    assert platform.partitions() == {
        ("users", 12),
        ("users", 14),
        ("sessions", 12),
        ("sessions", 13),
    }

    platform.export.put(platform.export.key_of(lost), kept)
    repaired = platform.sync()
    assert repaired.dumps == (DumpSummary(13, (applied("users", rows=1),)),)
    assert repaired.exit_code == 0


@pytest.mark.edge(51)
def test_a_failure_before_a_full_resync_is_void_and_not_tried_again(platform: Platform) -> None:
    platform.deliver(12, users=[AvroFile(body=b"no avro")], columns={"users": ["user_id"]})
    platform.deliver(13, users=[{"user_id": 2}], full_resync=True)
    first = platform.sync()
    statuses = {dump.dump_id: dump.tables[0].status for dump in first.dumps}
    assert (statuses, first.exit_code) == ({12: "void", 13: "applied"}, 0)
    assert platform.sync().dumps == ()


def test_a_file_repaired_in_place_reaches_the_current_table(platform: Platform) -> None:
    delivery = platform.deliver(12, users=[{"user_id": 1, "plan": "aaaa"}])
    platform.sync()
    repaired = encode_avro([{"user_id": 1, "plan": "bbbb"}])
    platform.export.put(platform.export.key_of(delivery.paths["users"][0]), repaired)
    platform.sync(dump_id=12)
    assert platform.rows("users") == [{"user_id": 1, "plan": "bbbb", "_dump_id": 12}]


@pytest.mark.edge(7)
def test_a_redelivery_replaces_the_dump(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], sessions=[{"user_id": 1, "session_id": 2}])
    platform.sync()
    platform.deliver(12, users=[{"user_id": 7}, {"user_id": 8}])
    summary = platform.sync()
    assert summary.dumps == (DumpSummary(12, (applied("users", rows=2),)),)
    assert platform.raw("users", 12)["user_id"].to_list() == [7, 8]
    assert platform.partitions() == {("users", 12)}


def test_a_redelivery_that_fails_leaves_the_earlier_content_and_is_told(
    platform: Platform,
) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    platform.deliver(12, users=[AvroFile(body=b"")], columns={"users": ["user_id"]})
    for _ in range(2):
        summary = platform.sync()
        (table,) = summary.dumps[0].tables
        assert (table.status, table.rows, summary.exit_code) == ("failed", 1, 1)
    assert platform.raw("users", 12)["user_id"].to_list() == [1]


@pytest.mark.edge(8, 12)
def test_unreadable_manifests_are_told_in_every_pass(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.export.put_manifest(13, b'{"dump_id": 13, // no JSON')
    first, second = platform.sync(), platform.sync()
    assert [check.check for check in first.checks if check.is_error] == ["manifest_readable"]
    assert [check.check for check in second.standing] == ["manifest_readable"]
    for summary in (first, second):
        (error,) = summary.errors
        assert error.startswith("manifest manifests/sync_13.json: not JSON")
        assert summary.exit_code == 1
    platform.export.put_manifest(13, {"dump_id": 13, "tables": []})
    mended = platform.sync()
    assert mended.dumps == (DumpSummary(13, ()),)
    assert mended.checks == (
        CheckSummary(
            asset="csq/manifests",
            check="manifest_readable",
            partition=None,
            passed=True,
            severity="ERROR",
            description="all manifests are valid",
        ),
    )
    assert mended.exit_code == 0


@pytest.mark.edge(65)
def test_a_name_that_is_taken_is_refused_until_it_is_skipped(platform: Platform) -> None:
    row = {"user_id": 1, "event_id": 2}
    platform.deliver(12, tables={"a-b": [row]})
    platform.deliver(13, tables={"a_b": [row], "Signup": [row], "signup": [row]})
    for _ in range(2):
        summary = platform.sync()
        assert summary.exit_code == 1
        assert [error.split(":")[0] for error in summary.errors] == ["table a_b", "table signup"]
    assert platform.partitions() == {("a-b", 12), ("Signup", 13)}
    skipping = platform.sync(skip=("a-b", "Sign*"))
    assert (skipping.errors, skipping.exit_code) == ((), 0)
    assert platform.partitions() >= {("a_b", 13), ("signup", 13)}


def test_unskipping_a_table_loads_its_history(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], sessions=[{"user_id": 1, "session_id": 1}])
    platform.deliver(13, sessions=[{"user_id": 1, "session_id": 2}])
    platform.sync(skip=("sess*",))
    assert platform.partitions() == {("users", 12)}
    platform.sync()
    assert platform.partitions() == {("users", 12), ("sessions", 12), ("sessions", 13)}


@pytest.mark.edge(72)
def test_a_dump_behind_a_failed_report_waits_and_can_be_taken_by_hand(platform: Platform) -> None:
    platform.export.report("2026-03-01")
    platform.export.report("2026-03-02", status="failed", error={"code": 7})
    platform.export.deliver(12, users=[{"user_id": 1}])
    waiting = platform.sync()
    assert (waiting.dumps, waiting.waiting) == ((), (12,))
    assert [check.description for check in waiting.checks if not check.passed] == [
        '2026-03-02.json says "failed": {"code": 7}',
        "dump 12 is not decoded yet",
    ]
    assert waiting.exit_code == 3
    taken = platform.sync(dump_id=12)
    assert [dump.dump_id for dump in taken.dumps] == [12]
    assert platform.partitions() == {("users", 12)}


def test_an_unknown_dump_is_a_wrong_usage(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    with pytest.raises(UsageError, match="there is no dump 13"):
        platform.sync(dump_id=13)


@pytest.mark.edge(69)
def test_a_column_that_goes_stands_as_an_error_until_the_next_dump(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1, "tier": "a"}])
    platform.deliver(13, users=[{"user_id": 1, "plan": "a"}])
    first, second = platform.sync(), platform.sync()
    assert first.standing == ()
    assert [check for check in first.checks if not check.passed] == list(second.standing)
    standing, kept = second.standing
    assert (kept.asset, kept.check, kept.severity, kept.description) == (
        "csq/current/users",
        "columns_kept",
        "WARN",
        'dump 13 removes "tier"',
    )
    assert standing == CheckSummary(
        asset="csq/raw/users",
        check="column_drift",
        partition="13",
        passed=False,
        severity="ERROR",
        description='dump 13 adds "plan", removes "tier"',
    )
    assert (first.exit_code, second.exit_code) == (3, 3)
    platform.deliver(14, users=[{"user_id": 1, "plan": "b"}])
    assert platform.sync().exit_code == 0


@pytest.mark.edge(79)
def test_property_definitions_are_kept_as_delivered(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], property_definitions=[1, {"a": "é"}])
    summary = platform.sync()
    assert [table.table for table in summary.dumps[0].tables] == ["users"]
    frame = platform.raw("property_definitions", 12)
    assert frame["document"].to_list() == ['[1, {"a": "é"}]']
    assert frame["_dump_id"].to_list() == [12]


def test_a_partition_gone_from_the_lake_is_decoded_again(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    platform.lake.store.delete("users", 12)
    assert [dump.dump_id for dump in platform.sync().dumps] == [12]
    assert platform.partitions() == {("users", 12)}


def test_a_partition_that_cannot_be_compared_with_is_told_and_stops_nothing(
    platform: Platform,
) -> None:
    session = {"user_id": 1, "session_id": 1}
    platform.deliver(12, users=[{"user_id": 1}], sessions=[session])
    platform.sync()
    damaged = platform.lake.store.location("users", 12)
    Path(damaged).write_bytes(b"PAR1")
    platform.deliver(13, users=[{"user_id": 2}], sessions=[session])
    summary = platform.sync()
    assert summary.dumps == (
        DumpSummary(13, (applied("users", rows=1), applied("sessions", rows=1))),
    )
    (error,) = summary.errors
    assert error.startswith(f"dump 12, table users: {damaged} cannot be read: ")
    assert summary.exit_code == 1

    Path(damaged).unlink()
    assert platform.sync().exit_code == 0
    assert [row["user_id"] for row in platform.rows("users")] == [1, 2]


def test_a_ledger_that_cannot_be_written_is_told(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], sessions=[{"user_id": 1, "session_id": 1}])
    blocked = Path(platform.settings.lake_url, "ledger", "12")
    listener = Blocking(blocked)
    summary = run_sync(platform.settings, platform.instance, listener)
    assert [f"{blocked}" in error for error in summary.errors] == [True, True]
    assert summary.exit_code == 1

    blocked.unlink()
    assert platform.sync().exit_code == 0
    assert platform.partitions() == {("users", 12), ("sessions", 12)}


class Blocking(Listener):
    """Puts a file in the place of a folder when decoding starts: nothing can be written into it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def starts(self, what: str, steps: int) -> None:
        super().starts(what, steps)
        if what == "decoding":
            self._folder.touch()


def test_evaluations_are_read_back_from_the_instance(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": None}, {"user_id": 1}])
    platform.sync()
    (record,) = platform.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(dg.AssetKey(["csq", "raw", "users"]), "keys_not_null"),
        limit=5,
        status={AssetCheckExecutionRecordStatus.FAILED, AssetCheckExecutionRecordStatus.SUCCEEDED},
    )
    evaluation = record.evaluation
    assert evaluation is not None
    assert (record.partition, evaluation.partition) == ("12", "12")
    assert (evaluation.passed, evaluation.severity.value) == (False, "WARN")
    assert evaluation.description == "user_id is null in 1 of 2 rows"


def test_a_headless_run_belongs_to_the_code_location_and_names_its_assets(
    platform: Platform,
) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    (run,) = platform.instance.get_runs(dg.RunsFilter(job_name="csq_raw"))
    assert run.asset_selection == {KEYS.raw("users")}
    assert run.remote_job_origin is not None
    assert run.remote_job_origin.repository_origin.get_label() == "__repository__@csq_assets"
