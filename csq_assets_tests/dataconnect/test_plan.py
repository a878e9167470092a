"""Which dumps of a table apply, are held behind a gap, or are void."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csq_assets.dataconnect.check_registry import Finding, Severity
from csq_assets.dataconnect.dump_records import TableRecord
from csq_assets.dataconnect.plan import TablePlan, plan_table, plans
from csq_assets_tests.dataconnect import seen
from csq_assets_tests.dataconnect.seen import records

Dump = tuple[int, TableRecord]


def increment(dump_id: int, *, refailed: bool = False) -> Dump:
    """A decoded increment; `refailed`: delivered again since, and that failed."""
    record = seen.applied("users")
    return dump_id, replace(record, failure=seen.failed("users").failure if refailed else None)


def resync(dump_id: int, *, refailed: bool = False) -> Dump:
    """The same of a full resync; its redelivery is an increment."""
    _, record = increment(dump_id, refailed=refailed)
    return dump_id, replace(record, content=seen.applied("users", incremental=False).content)


def failed(dump_id: int, *, incremental: bool = True) -> Dump:
    return dump_id, seen.failed("users", incremental=incremental)


def plan_of(dumps: Iterable[Dump]) -> TablePlan:
    return plan_table(dict(dumps))


def test_no_dumps_are_no_table() -> None:
    assert plan_of([]) == TablePlan()


@pytest.mark.edge(4)
def test_dumps_are_taken_as_numbers_and_gaps_between_them_do_not_matter() -> None:
    plan = plan_of([increment(1_008_461_850), resync(9), increment(852)])
    assert plan == TablePlan(apply=(9, 852, 1_008_461_850))


@pytest.mark.edge(47, 48)
def test_a_full_resync_makes_all_before_it_void() -> None:
    plan = plan_of([resync(1), increment(2), resync(3), increment(4)])
    assert plan == TablePlan(apply=(3, 4), void=(1, 2))
    assert plan.statuses() == {1: "void", 2: "void", 3: "applied", 4: "applied"}


@pytest.mark.edge(49)
def test_without_a_full_dump_all_increments_are_the_table() -> None:
    assert plan_of([increment(2), increment(1)]) == TablePlan(apply=(1, 2))


@pytest.mark.edge(50)
def test_increments_behind_a_failed_one_are_held_until_it_is_repaired() -> None:
    dumps = [resync(1), increment(2), failed(3), increment(4), failed(5), increment(6)]

    plan = plan_of(dumps)
    assert plan == TablePlan(apply=(1, 2), held=(4, 6), failed=(3, 5), gap=3)
    assert plan.statuses() == {
        1: "applied",
        2: "applied",
        3: "failed",
        4: "held",
        5: "failed",
        6: "held",
    }

    dumps[2] = increment(3)
    assert plan_of(dumps) == TablePlan(apply=(1, 2, 3, 4), held=(6,), failed=(5,), gap=5)
    dumps[4] = increment(5)
    assert plan_of(dumps) == TablePlan(apply=(1, 2, 3, 4, 5, 6))


@pytest.mark.edge(50)
def test_a_table_whose_first_dump_failed_shows_nothing() -> None:
    first_failed = [failed(1, incremental=False), increment(2)]
    assert plan_of(first_failed) == TablePlan(held=(2,), failed=(1,), gap=1)


@pytest.mark.edge(51)
def test_a_full_resync_makes_a_gap_void_and_what_was_held_behind_it() -> None:
    plan = plan_of([resync(1), failed(2), increment(3), resync(4), increment(5)])
    assert plan == TablePlan(apply=(4, 5), void=(1, 2, 3))
    assert plan.statuses()[2] == "void"


@pytest.mark.edge(52)
def test_a_failed_full_resync_leaves_the_old_state_and_holds_what_follows() -> None:
    plan = plan_of([resync(1), increment(2), failed(3, incremental=False), increment(4)])
    assert plan == TablePlan(apply=(1, 2), held=(4,), failed=(3,), gap=3)


def test_a_late_failed_dump_takes_increments_out_of_the_table() -> None:
    assert plan_of([resync(1), increment(3)]) == TablePlan(apply=(1, 3))
    late = plan_of([resync(1), increment(3), failed(2)])
    assert late == TablePlan(apply=(1,), held=(3,), failed=(2,), gap=2)


def test_a_late_dump_before_a_full_resync_is_void_failed_or_not() -> None:
    assert plan_of([resync(5), failed(2)]) == TablePlan(apply=(5,), void=(2,))
    assert plan_of([resync(5), resync(2)]) == TablePlan(apply=(5,), void=(2,))


def test_a_redelivery_that_fails_leaves_the_earlier_content_in_force() -> None:
    plan = plan_of([resync(1), increment(2, refailed=True), increment(3)])
    assert plan == TablePlan(apply=(1, 2, 3), failed=(2,))
    assert plan.statuses() == {1: "applied", 2: "failed", 3: "applied"}

    refailed = plan_of([increment(1), resync(2, refailed=True), increment(3)])
    assert refailed == TablePlan(apply=(2, 3), void=(1,), failed=(2,))


def test_a_redelivery_that_fails_behind_a_gap_stays_held_and_is_tried_again() -> None:
    plan = plan_of([failed(1), increment(2, refailed=True)])
    assert plan == TablePlan(held=(2,), failed=(1, 2), gap=1)


IDS = st.integers(0, 30)
DUMPS = st.one_of(
    st.builds(increment, IDS, refailed=st.booleans()),
    st.builds(resync, IDS, refailed=st.booleans()),
    st.builds(failed, IDS, incremental=st.booleans()),
)
HISTORIES = st.lists(DUMPS, unique_by=lambda dump: dump[0])


def is_full(dump: Dump) -> bool:
    """Whether its content is a full resync."""
    return dump[1].content is not None and not dump[1].content.incremental


@given(dumps=HISTORIES)
def test_each_dump_is_applied_held_void_or_without_content(dumps: list[Dump]) -> None:
    plan = plan_of(dumps)
    without = [dump_id for dump_id, record in dumps if record.content is None]
    failed_without = [dump_id for dump_id in plan.failed if dump_id in without]
    assert sorted((*plan.apply, *plan.held, *plan.void, *failed_without)) == sorted(
        dump_id for dump_id, _ in dumps
    )
    assert set(plan.statuses()) == {dump_id for dump_id, _ in dumps}
    for part in (plan.apply, plan.held, plan.void, plan.failed):
        assert list(part) == sorted(part)


@given(dumps=HISTORIES, data=st.data())
def test_the_order_of_arrival_does_not_matter(dumps: list[Dump], data: st.DataObject) -> None:
    arrived = data.draw(st.permutations(dumps))
    assert plan_of(arrived) == plan_of(dumps)


@given(dumps=HISTORIES)
def test_what_applies_is_one_unbroken_run_since_the_newest_full_resync(
    dumps: list[Dump],
) -> None:
    plan = plan_of(dumps)
    by_id = dict(dumps)
    for dump_id in plan.apply[1:]:
        assert not is_full((dump_id, by_id[dump_id]))
    for dump_id in plan.apply:
        assert by_id[dump_id].content
        assert all(by_id[other].content for other in by_id if plan.apply[0] <= other < dump_id)
    full = [dump[0] for dump in dumps if is_full(dump)]
    assert plan.apply[:1] == (max(full),) if full else not plan.void
    if plan.gap is None:
        assert plan.held == ()
    else:
        assert plan.gap == min(set(plan.failed) - set(plan.apply))
        assert all(plan.gap < dump_id for dump_id in plan.held)
        assert all(plan.gap > dump_id for dump_id in plan.apply)


@given(dumps=HISTORIES)
def test_what_is_void_can_be_left_out(dumps: list[Dump]) -> None:
    plan = plan_of(dumps)
    rest = plan_of(dump for dump in dumps if dump[0] not in plan.void)
    assert rest == TablePlan(plan.apply, plan.held, (), plan.failed, plan.gap)


@given(dumps=HISTORIES)
def test_repairing_everything_leaves_nothing_held(dumps: list[Dump]) -> None:
    repaired = [dump if is_full(dump) else increment(dump[0]) for dump in dumps]
    repaired = [(dump_id, replace(record, failure=None)) for dump_id, record in repaired]
    plan = plan_of(repaired)
    assert (plan.held, plan.failed, plan.gap) == ((), (), None)
    full = max((dump[0] for dump in repaired if is_full(dump)), default=0)
    assert plan.apply == tuple(sorted(dump_id for dump_id, _ in dumps if dump_id >= full))


@given(dumps=HISTORIES)
def test_a_full_resync_on_top_clears_all_gaps(dumps: list[Dump]) -> None:
    plan = plan_of([*dumps, resync(31)])
    assert plan == TablePlan(apply=(31,), void=tuple(sorted(dump_id for dump_id, _ in dumps)))


@pytest.mark.edge(61)
@pytest.mark.parametrize("content", [True, False])
def test_user_migrations_are_complete_whatever_their_manifest_says(*, content: bool) -> None:
    newest = seen.applied("user_migrations") if content else seen.failed("user_migrations")
    plan = plan_table({12: seen.applied("user_migrations"), 13: newest})
    void, applied = ((12,), (13,)) if content else ((), (12,))
    assert (plan.void, plan.apply) == (void, applied)


def test_each_table_has_its_own_plan_of_the_dumps_that_were_tried() -> None:
    new = TableRecord("clicks", incremental=True, files=1)
    taken = records(
        {
            14: [seen.applied("users"), new],
            12: [seen.applied("users"), seen.applied("clicks")],
            13: [seen.failed("users"), seen.applied("clicks", incremental=False)],
        }
    )
    assert plans(taken.values()) == {
        "users": TablePlan(apply=(12,), held=(14,), failed=(13,), gap=13),
        "clicks": TablePlan(apply=(13,), void=(12,)),
    }


def test_property_definitions_have_no_plan() -> None:
    assert plans(records({12: [seen.applied("property_definitions")]}).values()) == {}


def test_findings_do_not_change_a_plan() -> None:
    finding = Finding("column_drift", passed=False, severity=Severity.ERROR, description="")
    taken = records({12: [replace(seen.applied("users"), findings=(finding,))]})
    assert plans(taken.values()) == {"users": TablePlan(apply=(12,))}
