"""Which dumps of a table apply, are held behind a gap, or are void."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csq_assets.dataconnect.plan import TableDumpState, TablePlan, plan_table


def increment(dump_id: int, *, refailed: bool = False) -> TableDumpState:
    """A decoded increment; `refailed`: delivered again since, and that failed."""
    return TableDumpState(dump_id, incremental=True, has_content=True, failed=refailed)


def resync(dump_id: int, *, refailed: bool = False) -> TableDumpState:
    return TableDumpState(dump_id, incremental=False, has_content=True, failed=refailed)


def failed(dump_id: int, *, incremental: bool = True) -> TableDumpState:
    return TableDumpState(dump_id, incremental=incremental, has_content=False, failed=True)


def test_no_dumps_are_no_table() -> None:
    assert plan_table([]) == TablePlan()


@pytest.mark.edge(4)
def test_dumps_are_taken_as_numbers_and_gaps_between_them_do_not_matter() -> None:
    plan = plan_table([increment(1_008_461_850), resync(9), increment(852)])
    assert plan == TablePlan(apply=(9, 852, 1_008_461_850))


@pytest.mark.edge(47, 48)
def test_a_full_resync_makes_all_before_it_void() -> None:
    plan = plan_table([resync(1), increment(2), resync(3), increment(4)])
    assert plan == TablePlan(apply=(3, 4), void=(1, 2))
    assert plan.statuses() == {1: "void", 2: "void", 3: "applied", 4: "applied"}


@pytest.mark.edge(49)
def test_without_a_full_dump_all_increments_are_the_table() -> None:
    assert plan_table([increment(2), increment(1)]) == TablePlan(apply=(1, 2))


@pytest.mark.edge(50)
def test_increments_behind_a_failed_one_are_held_until_it_is_repaired() -> None:
    dumps = [resync(1), increment(2), failed(3), increment(4), failed(5), increment(6)]

    plan = plan_table(dumps)
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
    assert plan_table(dumps) == TablePlan(apply=(1, 2, 3, 4), held=(6,), failed=(5,), gap=5)
    dumps[4] = increment(5)
    assert plan_table(dumps) == TablePlan(apply=(1, 2, 3, 4, 5, 6))


@pytest.mark.edge(50)
def test_a_table_whose_first_dump_failed_shows_nothing() -> None:
    first_failed = [failed(1, incremental=False), increment(2)]
    assert plan_table(first_failed) == TablePlan(held=(2,), failed=(1,), gap=1)


@pytest.mark.edge(51)
def test_a_full_resync_makes_a_gap_void_and_what_was_held_behind_it() -> None:
    plan = plan_table([resync(1), failed(2), increment(3), resync(4), increment(5)])
    assert plan == TablePlan(apply=(4, 5), void=(1, 2, 3))
    assert plan.statuses()[2] == "void"


@pytest.mark.edge(52)
def test_a_failed_full_resync_leaves_the_old_state_and_holds_what_follows() -> None:
    plan = plan_table([resync(1), increment(2), failed(3, incremental=False), increment(4)])
    assert plan == TablePlan(apply=(1, 2), held=(4,), failed=(3,), gap=3)


def test_a_late_failed_dump_takes_increments_out_of_the_table() -> None:
    assert plan_table([resync(1), increment(3)]) == TablePlan(apply=(1, 3))
    late = plan_table([resync(1), increment(3), failed(2)])
    assert late == TablePlan(apply=(1,), held=(3,), failed=(2,), gap=2)


def test_a_late_dump_before_a_full_resync_is_void_failed_or_not() -> None:
    assert plan_table([resync(5), failed(2)]) == TablePlan(apply=(5,), void=(2,))
    assert plan_table([resync(5), resync(2)]) == TablePlan(apply=(5,), void=(2,))


def test_a_redelivery_that_fails_leaves_the_earlier_content_in_force() -> None:
    plan = plan_table([resync(1), increment(2, refailed=True), increment(3)])
    assert plan == TablePlan(apply=(1, 2, 3), failed=(2,))
    assert plan.statuses() == {1: "applied", 2: "failed", 3: "applied"}

    refailed = plan_table([increment(1), resync(2, refailed=True), increment(3)])
    assert refailed == TablePlan(apply=(2, 3), void=(1,), failed=(2,))


def test_a_redelivery_that_fails_behind_a_gap_stays_held_and_is_tried_again() -> None:
    plan = plan_table([failed(1), increment(2, refailed=True)])
    assert plan == TablePlan(held=(2,), failed=(1, 2), gap=1)


STATES = st.builds(
    TableDumpState,
    dump_id=st.integers(0, 30),
    incremental=st.booleans(),
    has_content=st.booleans(),
    failed=st.booleans(),
).map(
    lambda state: (
        state if state.has_content else failed(state.dump_id, incremental=state.incremental)
    )
)
HISTORIES = st.lists(STATES, unique_by=lambda state: state.dump_id)


@given(dumps=HISTORIES)
def test_each_dump_is_applied_held_void_or_without_content(dumps: list[TableDumpState]) -> None:
    plan = plan_table(dumps)
    without = [dump.dump_id for dump in dumps if not dump.has_content]
    failed_without = [dump_id for dump_id in plan.failed if dump_id in without]
    assert sorted((*plan.apply, *plan.held, *plan.void, *failed_without)) == sorted(
        dump.dump_id for dump in dumps
    )
    assert set(plan.statuses()) == {dump.dump_id for dump in dumps}
    for part in (plan.apply, plan.held, plan.void, plan.failed):
        assert list(part) == sorted(part)


@given(dumps=HISTORIES, data=st.data())
def test_the_order_of_arrival_does_not_matter(
    dumps: list[TableDumpState], data: st.DataObject
) -> None:
    arrived = data.draw(st.permutations(dumps))
    assert plan_table(arrived) == plan_table(dumps)


@given(dumps=HISTORIES)
def test_what_applies_is_one_unbroken_run_since_the_newest_full_resync(
    dumps: list[TableDumpState],
) -> None:
    plan = plan_table(dumps)
    by_id = {dump.dump_id: dump for dump in dumps}
    for dump_id in plan.apply[1:]:
        assert by_id[dump_id].incremental
    for dump_id in plan.apply:
        assert by_id[dump_id].has_content
        assert all(by_id[other].has_content for other in by_id if plan.apply[0] <= other < dump_id)
    full = [dump.dump_id for dump in dumps if dump.has_content and not dump.incremental]
    assert plan.apply[:1] == (max(full),) if full else not plan.void
    if plan.gap is None:
        assert plan.held == ()
    else:
        assert plan.gap == min(set(plan.failed) - set(plan.apply))
        assert all(plan.gap < dump_id for dump_id in plan.held)
        assert all(plan.gap > dump_id for dump_id in plan.apply)


@given(dumps=HISTORIES)
def test_what_is_void_can_be_left_out(dumps: list[TableDumpState]) -> None:
    plan = plan_table(dumps)
    rest = plan_table(dump for dump in dumps if dump.dump_id not in plan.void)
    assert rest == TablePlan(plan.apply, plan.held, (), plan.failed, plan.gap)


@given(dumps=HISTORIES)
def test_repairing_everything_leaves_nothing_held(dumps: list[TableDumpState]) -> None:
    repaired = plan_table(
        TableDumpState(dump.dump_id, dump.incremental, has_content=True) for dump in dumps
    )
    assert (repaired.held, repaired.failed, repaired.gap) == ((), (), None)
    full = max((dump.dump_id for dump in dumps if not dump.incremental), default=0)
    assert repaired.apply == tuple(sorted(d.dump_id for d in dumps if d.dump_id >= full))


@given(dumps=HISTORIES)
def test_a_full_resync_on_top_clears_all_gaps(dumps: list[TableDumpState]) -> None:
    plan = plan_table([*dumps, resync(31)])
    assert plan == TablePlan(apply=(31,), void=tuple(sorted(dump.dump_id for dump in dumps)))
