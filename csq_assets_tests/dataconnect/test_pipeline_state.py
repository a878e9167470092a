"""How things stand, by the ledger."""

from dataclasses import replace

from csq_assets.dataconnect.check_registry import Finding, Severity
from csq_assets.dataconnect.current_checks import CurrentFacts
from csq_assets.dataconnect.dump_records import TableRecord
from csq_assets.dataconnect.pipeline_state import PipelineState, StandingFinding
from csq_assets.dataconnect.plan import TablePlan
from csq_assets.dataconnect.relation import Relation
from csq_assets_tests.dataconnect.seen import applied, catalog, failed, manifest, records

DEFINITIONS = "property_definitions"


def finding(check: str = "column_drift") -> Finding:
    return Finding(check, passed=False, severity=Severity.ERROR, description="")


def drifted(table: str) -> TableRecord:
    return replace(applied(table), findings=(finding(), finding("keys_not_null")))


def state(
    dumps: dict[int, list[TableRecord]], *, skip: tuple[str, ...] = (), unseen: tuple[int, ...] = ()
) -> PipelineState:
    seen = [
        manifest(dump_id, *(record.table for record in tables))
        for dump_id, tables in dumps.items()
        if dump_id not in unseen
    ]
    return PipelineState(catalog(*seen), records(dumps), lambda table: table in skip)


def test_plans_are_in_the_order_in_which_tables_were_seen() -> None:
    plans = state({13: [applied("users")], 12: [applied("clicks"), applied("users")]}).plans()
    assert list(plans.items()) == [
        ("clicks", TablePlan(apply=(12,))),
        ("users", TablePlan(apply=(12, 13))),
    ]


def test_skipped_and_refused_tables_are_left_out() -> None:
    stands = state(
        {12: [failed("a_b"), failed("a-b"), drifted("users"), failed("all_events")]},
        skip=("users",),
    )
    assert list(stands.plans()) == ["a_b"]
    assert list(stands.standing_findings()) == []
    assert list(stands.failures()) == [(12, failed("a_b"))]


def test_a_table_that_nothing_was_taken_of_has_no_plan() -> None:
    assert state({12: [TableRecord("users", incremental=True, files=1)]}).plans() == {}


def test_the_newest_partition_has_the_last_word() -> None:
    assert list(state({12: [drifted("users")], 13: [applied("users")]}).standing_findings()) == []
    stands = state({13: [drifted("users")], 12: [applied("users"), drifted("clicks")]})
    assert list(stands.standing_findings()) == [
        StandingFinding("users", 13, finding()),
        StandingFinding("users", 13, finding("keys_not_null")),
        StandingFinding("clicks", 12, finding()),
        StandingFinding("clicks", 12, finding("keys_not_null")),
    ]


def test_a_failed_dump_has_no_say_over_the_partition_before_it() -> None:
    stands = state({12: [drifted("users")], 13: [failed("users")]})
    assert {one.dump_id for one in stands.standing_findings()} == {12}


def test_failures_are_those_that_must_be_tried_again() -> None:
    redelivered = replace(applied("users"), failure=failed("users").failure)
    stands = state(
        {
            11: [failed("clicks"), failed("sessions")],
            12: [applied("clicks", incremental=False), applied("sessions")],
            13: [redelivered, failed("clicks")],
        }
    )
    assert list(stands.failures()) == [
        (11, failed("sessions")),
        (13, redelivered),
        (13, failed("clicks")),
    ]


def test_failed_property_definitions_must_be_tried_again_unless_skipped() -> None:
    dumps = {12: [failed(DEFINITIONS)], 13: [applied(DEFINITIONS)]}
    assert list(state(dumps).failures()) == [(12, failed(DEFINITIONS))]
    assert list(state(dumps, skip=(DEFINITIONS,)).failures()) == []
    assert state(dumps).plans() == {}


def test_a_table_whose_manifest_is_unknown_is_left_out() -> None:
    assert state({12: [applied("users")]}, unseen=(12,)).plans() == {}


def test_a_dump_is_pending_until_it_is_decoded_as_it_was_delivered_last() -> None:
    stands = state(
        {
            12: [applied("users"), applied(DEFINITIONS), failed("clicks")],
            13: [TableRecord("users", incremental=True, files=1), applied("clicks", "earlier")],
            14: [applied("users", "earlier"), failed("clicks", "earlier")],
        }
    )
    assert stands.pending() == {"users": (13, 14), "clicks": (13, 14)}
    assert (
        state({12: [TableRecord("users", incremental=True, files=1)]}, skip=("users",)).pending()
        == {}
    )


def test_what_is_pending_below_a_full_resync_is_not_missed() -> None:
    dumps = {12: [], 13: [applied("users", incremental=False)], 14: [applied("users")]}
    late = (manifest(11, "users"), manifest(13, "users"), manifest(14, "users", content="new"))
    relation = Relation("csq/current/users", 2, newest_dump=14)
    stands = replace(state(dumps), catalog=catalog(*late), relations={relation.asset: relation})
    assert stands.pending() == {"users": (11, 14)}
    assert stands.current_facts() == {
        "users": CurrentFacts(TablePlan(apply=(13, 14)), (14,), relation)
    }
    assert [(asset, one.check, one.description) for asset, one in stands.current_findings()] == [
        ("csq/current/users", "complete", "dump 14 is not decoded yet")
    ]
