"""Which dumps are taken now, and which wait."""

from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

import pytest

from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.dump_records import DumpRecord
from csq_assets.dataconnect.intake import Intake, Work, decide
from csq_assets_tests.dataconnect.seen import (
    NOON,
    applied,
    at,
    catalog,
    failed,
    manifest,
    records,
    report,
)

DEFINITIONS = "property_definitions"


def intake(
    seen: Catalog,
    taken: dict[int, DumpRecord] | None = None,
    *,
    lost: AbstractSet[tuple[str, int]] = frozenset(),
    now: datetime = NOON,
    skip: tuple[str, ...] = (),
    may_retry: bool = True,
) -> Intake:
    """What is decided. Every content of the ledger is in the lake, except what is `lost`."""
    taken = taken or {}
    in_lake = {
        (table.table, dump_id)
        for dump_id, dump in taken.items()
        for table in dump.tables
        if table.content is not None
    }
    return decide(
        seen,
        taken,
        in_lake - lost,
        now,
        skips=lambda table: table in skip,
        may_retry=lambda _failure: may_retry,
    )


def take(*work: tuple[int, tuple[str, ...]]) -> Intake:
    return Intake(tuple(Work(dump_id, tables) for dump_id, tables in work))


@pytest.mark.edge(4)
def test_all_that_is_new_is_taken_lowest_dump_first() -> None:
    seen = catalog(manifest(1008461850, "users"), manifest(9, "users", "clicks"), manifest(852))
    assert intake(seen) == take((9, ("users", "clicks")), (852, ()), (1008461850, ("users",)))


@pytest.mark.edge(5)
def test_a_lower_dump_that_comes_late_is_taken() -> None:
    taken = records({14: [applied("users")]})
    assert intake(catalog(manifest(14, "users"), manifest(13, "users")), taken) == take(
        (13, ("users",))
    )


@pytest.mark.edge(6)
def test_the_same_manifest_again_changes_nothing() -> None:
    taken = records({12: [applied("users")]})
    again = manifest(12, "users", modified=at(13), content="a")
    assert intake(catalog(again), taken) == Intake()


@pytest.mark.edge(7)
def test_a_known_dump_with_other_content_is_taken_again_whole() -> None:
    taken = records({12: [applied("users"), applied("clicks")]})
    again = manifest(12, "users", "clicks", content="b")
    assert intake(catalog(again), taken) == take((12, ("users", "clicks")))


@pytest.mark.edge(7)
def test_a_redelivery_that_was_half_decoded_goes_on_where_it_stopped() -> None:
    taken = records({12: [applied("users", "b"), applied("clicks", "a")]}, content="b")
    again = manifest(12, "users", "clicks", content="b")
    assert intake(catalog(again), taken) == take((12, ("clicks",)))


@pytest.mark.edge(7)
def test_a_redelivery_that_lists_nothing_any_more_is_taken() -> None:
    taken = records({12: [applied("users")]})
    assert intake(catalog(manifest(12, content="b")), taken) == take((12, ()))


def test_of_two_manifests_with_one_id_the_later_written_is_taken() -> None:
    taken = records({12: [applied("users")]})
    first = manifest(12, "users", modified=at(6), content="a", name="sync_12.json")
    second = manifest(12, "users", "clicks", modified=at(7), content="b", name="other.json")
    assert intake(catalog(second, first), taken) == take((12, ("users", "clicks")))
    first_again = manifest(12, "users", modified=at(8), content="a", name="sync_12.json")
    assert intake(catalog(second, first_again), taken) == Intake()


@pytest.mark.edge(13)
def test_a_dump_without_tables_is_taken_once() -> None:
    seen = catalog(manifest(12))
    assert intake(seen) == take((12, ()))
    assert intake(seen, records({12: []})) == Intake()


@pytest.mark.edge(14)
def test_a_table_that_is_not_listed_is_left_as_it_is() -> None:
    taken = records({12: [applied("users"), applied("clicks")]})
    seen = catalog(manifest(12, "users", "clicks"), manifest(13, "users"))
    assert intake(seen, taken) == take((13, ("users",)))


def test_property_definitions_are_taken_last() -> None:
    seen = catalog(manifest(12, "users", has_definitions=True))
    assert intake(seen) == take((12, ("users", DEFINITIONS)))
    assert intake(seen, skip=(DEFINITIONS,)) == take((12, ("users",)))


def test_a_table_without_a_name_of_its_own_is_not_taken() -> None:
    seen = catalog(manifest(12, "a_b", "a-b", "all_events"))
    assert intake(seen) == take((12, ("a_b",)))


def test_skipped_tables_are_left_alone_until_they_are_not_skipped() -> None:
    seen = catalog(manifest(12, "users", "clicks"), manifest(13, "users", "clicks"))
    assert intake(seen, skip=("clicks",)) == take((12, ("users",)), (13, ("users",)))
    taken = records({12: [applied("users")], 13: [applied("users")]})
    assert intake(seen, taken, skip=("clicks",)) == Intake()
    assert intake(seen, taken) == take((12, ("clicks",)), (13, ("clicks",)))


def test_a_dump_of_skipped_tables_alone_is_known_and_brings_nothing() -> None:
    seen = catalog(manifest(12, "clicks"))
    assert intake(seen, skip=("clicks",)) == take((12, ()))
    assert intake(seen, records({12: []}), skip=("clicks",)) == Intake()


def test_a_failed_table_is_tried_again_the_others_are_not() -> None:
    taken = records({12: [applied("users"), failed("clicks")], 13: [applied("clicks")]})
    seen = catalog(manifest(12, "users", "clicks"), manifest(13, "clicks"))
    assert intake(seen, taken) == take((12, ("clicks",)))


def test_a_failure_that_is_not_worth_another_try_waits_for_another_manifest() -> None:
    taken = records({12: [failed("clicks", "a")]})
    assert intake(catalog(manifest(12, "clicks", content="a")), taken, may_retry=False) == Intake()
    assert intake(catalog(manifest(12, "clicks", content="b")), taken, may_retry=False) == take(
        (12, ("clicks",))
    )


def test_the_rule_for_another_try_is_asked_of_the_failure() -> None:
    taken = records({12: [failed("users")], 13: [failed("clicks")]})
    failure = taken[13].tables[0].failure
    seen = catalog(manifest(12, "users"), manifest(13, "clicks"))
    decided = decide(seen, taken, (), NOON, may_retry=lambda one: one is failure)
    assert decided == take((13, ("clicks",)))


def test_a_failed_redelivery_is_tried_again_though_earlier_content_counts() -> None:
    redelivered = replace(applied("users", "a"), failure=failed("users", "b").failure)
    taken = records({12: [redelivered]}, content="b")
    assert intake(catalog(manifest(12, "users", content="b")), taken) == take((12, ("users",)))


@pytest.mark.edge(51)
def test_what_a_full_resync_has_made_void_is_not_tried_again() -> None:
    taken = records({12: [failed("users")], 13: [applied("users", incremental=False)]})
    seen = catalog(manifest(12, "users"), manifest(13, "users"))
    assert intake(seen, taken) == Intake()


def test_void_dumps_that_were_never_tried_are_decoded_for_the_lake() -> None:
    taken = records({13: [applied("users", incremental=False)]})
    seen = catalog(manifest(12, "users"), manifest(13, "users"))
    assert intake(seen, taken) == take((12, ("users",)))


def test_failed_property_definitions_are_tried_again_whatever_came_later() -> None:
    taken = records({12: [failed(DEFINITIONS, incremental=False)], 13: [applied(DEFINITIONS)]})
    seen = catalog(manifest(12, has_definitions=True), manifest(13, has_definitions=True))
    assert intake(seen, taken) == take((12, (DEFINITIONS,)))


def test_a_partition_that_was_lost_is_decoded_again() -> None:
    taken = records({12: [applied("users"), applied("clicks")], 13: [applied("users")]})
    seen = catalog(manifest(12, "users", "clicks"), manifest(13, "users"))
    assert intake(seen, taken, lost={("users", 12)}) == take((12, ("users",)))


def test_what_was_taken_from_a_manifest_that_is_gone_stays() -> None:
    taken = records({12: [failed("users")]})
    assert intake(catalog(manifest(13, "users")), taken) == take((13, ("users",)))


FAILED_AT_SIX = report("2.json", "failed", finish=at(6))
SUCCEEDED_AT_FIVE = report("1.json", finish=at(5, 30))
WAITS = (
    'the newest sync report, 2.json, says "failed": manifests written after 2026-03-01 05:30 UTC, '
    "when the last successful sync finished, wait for the next sync that succeeds"
)


@pytest.mark.edge(72)
def test_what_came_after_the_last_success_waits_while_the_newest_report_says_else() -> None:
    before, same, after, later = (
        manifest(dump_id, "users", modified=modified)
        for dump_id, modified in ((14, at(5)), (13, at(5, 30)), (12, at(5, 31)), (11, at(6)))
    )
    seen = catalog(after, before, later, same, reports=[FAILED_AT_SIX, SUCCEEDED_AT_FIVE])
    assert intake(seen) == Intake(
        take=(Work(13, ("users",)), Work(14, ("users",))), wait=(11, 12), wait_reason=WAITS
    )


@pytest.mark.edge(72)
def test_the_next_success_lets_all_through_lowest_first() -> None:
    reports = [SUCCEEDED_AT_FIVE, FAILED_AT_SIX, report("3.json", finish=at(7))]
    seen = catalog(manifest(12, "users", modified=at(6)), manifest(9, "users"), reports=reports)
    assert intake(seen) == take((9, ("users",)), (12, ("users",)))


@pytest.mark.edge(72)
@pytest.mark.parametrize(
    ("status", "said"), [("partially_done", '"partially_done"'), (None, "no status")]
)
def test_an_unheard_of_status_is_no_success(status: str | None, said: str) -> None:
    reports = [SUCCEEDED_AT_FIVE, report("2.json", status, finish=at(6))]
    seen = catalog(manifest(12, "users", modified=at(6)), reports=reports)
    assert intake(seen) == Intake(wait=(12,), wait_reason=WAITS.replace('"failed"', said))


@pytest.mark.edge(72)
def test_everything_waits_while_no_sync_ever_succeeded() -> None:
    seen = catalog(manifest(12, "users", modified=at(1)), reports=[FAILED_AT_SIX])
    assert intake(seen) == Intake(
        wait=(12,),
        wait_reason='the newest sync report, 2.json, says "failed", and no earlier one says succeeded',
    )


def test_a_success_without_finish_time_counts_from_when_it_was_written() -> None:
    reports = [FAILED_AT_SIX, report("1.json", modified=at(4))]
    seen = catalog(
        manifest(12, "users", modified=at(3)), manifest(13, modified=at(5)), reports=reports
    )
    assert intake(seen) == Intake(
        take=(Work(12, ("users",)),), wait=(13,), wait_reason=WAITS.replace("05:30", "04:00")
    )


@pytest.mark.edge(72)
def test_what_was_taken_before_the_failed_report_goes_on() -> None:
    taken = records({12: [failed("users")]})
    seen = catalog(
        manifest(12, "users", modified=at(6)), reports=[SUCCEEDED_AT_FIVE, FAILED_AT_SIX]
    )
    assert intake(seen, taken) == replace(take((12, ("users",))), wait_reason=WAITS)
    redelivered = catalog(
        manifest(12, "users", modified=at(6), content="b"),
        reports=[SUCCEEDED_AT_FIVE, FAILED_AT_SIX],
    )
    assert intake(redelivered, taken) == Intake(wait=(12,), wait_reason=WAITS)


@pytest.mark.edge(73)
def test_without_any_report_a_manifest_is_taken_at_fifteen_minutes() -> None:
    seen = catalog(
        manifest(12, "users", modified=at(11, 45)),
        manifest(13, "users", modified=at(11, 46)),
        reports=[],
    )
    waits = "no sync report can be read, so a manifest is taken once it is 15 minutes old"
    assert intake(seen, now=at(11, 59)) == Intake(wait=(12, 13), wait_reason=waits)
    assert intake(seen, now=at(12)) == Intake(
        take=(Work(12, ("users",)),), wait=(13,), wait_reason=waits
    )
    assert intake(seen, now=at(12, 1)) == take((12, ("users",)), (13, ("users",)))


def test_a_report_that_cannot_be_read_gates_nothing() -> None:
    broken = report("2.json", None, modified=at(11), problem="not JSON")
    seen = catalog(manifest(12, "users"), reports=[SUCCEEDED_AT_FIVE, broken])
    assert intake(seen) == take((12, ("users",)))


@pytest.mark.edge(72)
def test_a_failed_report_without_an_end_closes_the_gate() -> None:
    for start in (at(6), None):  # without a start, when it was written
        failed_report = report("2.json", "failed", start=start, modified=at(6))
        seen = catalog(
            manifest(12, "users", modified=at(6)), reports=[SUCCEEDED_AT_FIVE, failed_report]
        )
        assert intake(seen).wait == (12,)


def test_what_a_redelivered_resync_made_void_is_due_in_the_same_pass() -> None:
    taken = records(
        {1: [failed("sessions")], 2: [applied("sessions", incremental=False), applied("users")]}
    )
    kept = manifest(1, "sessions")
    assert intake(catalog(kept, manifest(2, "sessions", "users")), taken).take == ()
    dropped = manifest(2, "users", content="b")
    again = manifest(2, "sessions", "users", content="b")  # as an increment
    for redelivered in (dropped, again):
        taking = intake(catalog(kept, redelivered), taken).take
        assert taking[0] == Work(1, ("sessions",))
    resync = manifest(2, "sessions", "users", content="b", full_resyncs=("sessions",))
    assert intake(catalog(kept, resync), taken).take == (Work(2, ("sessions", "users")),)
