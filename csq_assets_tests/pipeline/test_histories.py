"""Random histories of an export: after each pass the warehouse is what a replay from nothing gives."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from csq_assets_tests.model import IDS, Delivered, Row
from csq_assets_tests.pipeline.harness import IDENTITY, META, Harness

USERS, EVENTS = st.integers(1, 7), st.integers(1, 3)
WORDS = st.sampled_from(["", "a", "B", "é\n"])
TIMES = st.sampled_from(
    [
        "0",
        "1714000000",
        "1714000000000",
        "1714000000000000",
        "1714000000000001",
        "-9223372036854775808",
        "2024-04-24 23:06:40",
        "2024-04-25T01:06:40.000001+02:00",
        "2024-04-24",
        "2024-02-30",
        "99999999999999999999",
        "soon",
        "",
    ]
)
# By table: the columns that it always has, and those that come, go and return.
TABLES: dict[str, tuple[list[str], list[str]]] = {
    "users": (["user_id"], ["joindate", "last_modified", "plan", "Plan", "plan_2", "event_id"]),
    "sessions": (["user_id", "session_id"], ["time", "event_id"]),
    "pageviews": (["event_id", "user_id"], ["session_id", "time", "Time", "path"]),
    'odd "name"; --': (["user_id", "event_id"], ["time", "order", "a b", '"']),
    "notes": (["user_id"], ["text"]),
    "_event_metadata": ([], ["text", "session_id"]),
    "shape_shifter": (["user_id"], ["event_id", "text"]),
    "user_migrations": (["from_user_id", "to_user_id"], ["time"]),
}


def value_of(column: str) -> st.SearchStrategy[Any]:
    if column == "user_id":
        return st.none() | USERS
    if column in IDS:
        return st.none() | EVENTS
    if column in ("from_user_id", "to_user_id"):
        return USERS.map(str) | st.sampled_from([None, "x", " 1", "1.0", "-0", "007"])
    return st.none() | (TIMES if column in ("joindate", "last_modified") else WORDS)


@st.composite
def table_of_any_kind(draw: st.DrawFn, name: str) -> Delivered:
    always, sometimes = TABLES[name]
    some = draw(st.lists(st.sampled_from(sometimes), unique=True))
    columns = draw(st.permutations([*always, *some]))
    extra = draw(st.sampled_from([[], [], [name for name in sometimes if name not in some]]))
    row = st.fixed_dictionaries({name: value_of(name) for name in (*columns, *extra)})
    rows: list[Row] = draw(st.lists(row, max_size=5))
    return Delivered(tuple(columns), tuple(rows), draw(st.sampled_from([True, True, False])))


@st.composite
def small_table(draw: st.DrawFn, name: str) -> Delivered:
    """One row, told from others by a word: what counts is which dump it is from."""
    row: Row = {"user_id": draw(USERS), "session_id": 1, "text": draw(st.sampled_from("abcd"))}
    return Delivered(tuple(row), (row,), draw(st.booleans()))


@st.composite
def migrated_table(draw: st.DrawFn, name: str) -> Delivered:
    """Few people, of whom many become one another."""
    people = st.integers(1, 4)
    if name == "user_migrations":
        pair = st.fixed_dictionaries({side: people.map(str) for side in TABLES[name][0]})
        return Delivered(
            tuple(TABLES[name][0]), tuple(draw(st.lists(pair, min_size=1, max_size=3)))
        )
    row = st.fixed_dictionaries({"user_id": people, "text": st.sampled_from("abcd")})
    rows = draw(st.lists(row, min_size=1, max_size=3))
    return Delivered(("user_id", "text"), tuple(rows), draw(st.sampled_from([True, True, False])))


def some_of(names: list[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(st.sampled_from(names), unique=True) if names else st.just([])


class Histories(RuleBasedStateMachine):
    """Deliveries of everything, in any order, with passes of which some are cut short."""

    dumps = range(8, 14)
    names = tuple(TABLES)
    table_of = staticmethod(table_of_any_kind)
    failures = st.integers(0, 9).map(lambda number: number == 0)

    def __init__(self) -> None:
        super().__init__()
        self.harness = Harness(Path(tempfile.mkdtemp()))

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        dump_id = data.draw(st.sampled_from(self.dumps), label="dump")
        names = data.draw(some_of([*self.names]), label="names")
        tables = {name: data.draw(self.table_of(name), label=name) for name in names[:5]}
        broken = [name for name in tables if data.draw(self.failures, label=f"{name} is broken")]
        self.harness.deliver(dump_id, tables, broken=broken)

    @precondition(lambda self: self.harness.manifests)
    @rule(data=st.data(), incremental=st.none() | st.booleans())
    def deliver_part_again(self, data: st.DataObject, incremental: bool | None) -> None:  # noqa: FBT001
        """Some tables of a dump, with the rows that they had; perhaps now as increments."""
        dump_id = data.draw(st.sampled_from(sorted(self.harness.manifests)), label="dump")
        known = self.harness.manifests[dump_id].tables
        names = data.draw(some_of(sorted(known)), label="names")
        tables = {
            name: Delivered(
                known[name].columns,
                known[name].rows,
                known[name].incremental if incremental is None else incremental,
            )
            for name in names
        }
        broken = [name for name in tables if data.draw(self.failures, label=f"{name} is broken")]
        self.harness.deliver(dump_id, tables, broken=broken)

    @precondition(lambda self: self.harness.broken())
    @rule(data=st.data())
    def repair_in_place(self, data: st.DataObject) -> None:
        self.harness.repair(*data.draw(st.sampled_from(self.harness.broken())))

    @rule(data=st.data())
    def pass_that_is_cut_short(self, data: st.DataObject) -> None:
        """All or some of the tables are decoded; some of those that are behind are refreshed, in any
        order, after the identity map or before it."""
        plan = self.harness.plan_decoding()
        work = [(work.dump_id, table) for work in plan.decode for table in work.tables]
        decoded = data.draw(st.just(work) | some_of(work), label="decoded")
        self.harness.decode(decoded, is_whole_plan=False)
        behind = self.harness.plan_refresh().tables
        first = [IDENTITY, *(table for table in behind if table == "user_migrations")]
        others = [META, *(table for table in behind if table not in first)]
        start = data.draw(st.just(first) | some_of(first), label="refreshed first")
        self.harness.refresh([*start, *data.draw(some_of(others), label="refreshed")])

    @rule()
    def sync(self) -> None:
        self.harness.sync()

    def teardown(self) -> None:
        try:
            self.harness.sync()
            self.harness.rebuild()
        finally:
            shutil.rmtree(self.harness.folder)


class HistoriesOfFailures(Histories):
    """Few dumps of one row, many of them broken, redelivered in part, and repaired."""

    dumps = range(1, 5)
    names = ("sessions", "notes")
    table_of = staticmethod(small_table)
    failures = st.booleans()


class HistoriesOfMigrations(Histories):
    """Identity maps that change while only some tables follow."""

    dumps = range(2, 5)
    names = ("user_migrations", "users", "notes")
    table_of = staticmethod(migrated_table)
    failures = st.just(value=False)

    @initialize(users=migrated_table("users"), notes=migrated_table("notes"))
    def deliver_people(self, users: Delivered, notes: Delivered) -> None:
        self.harness.deliver(1, {"users": users, "notes": notes})
        self.harness.sync()

    @rule(data=st.data(), followers=some_of(["users", "notes"]))
    def only_some_tables_follow(self, data: st.DataObject, followers: list[str]) -> None:
        dump_id = data.draw(st.sampled_from(self.dumps), label="dump")
        migrations = data.draw(migrated_table("user_migrations"))
        self.harness.deliver(dump_id, {"user_migrations": migrations})
        plan = self.harness.plan_decoding()
        self.harness.decode([(work.dump_id, name) for work in plan.decode for name in work.tables])
        behind = self.harness.plan_refresh().tables
        steps = [IDENTITY, "user_migrations", *followers]
        self.harness.refresh([step for step in steps if step == IDENTITY or step in behind])


def at_a_share(share: int) -> settings:
    """So many of the profile's examples: each has several passes."""
    return settings(
        max_examples=settings().max_examples * share // 100,
        stateful_step_count=10,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


@pytest.mark.slow
@pytest.mark.edge(40, 58, 60)
def test_tables_that_follow_an_identity_map_late_end_alike() -> None:
    run_state_machine_as_test(HistoriesOfMigrations, settings=at_a_share(10))


@pytest.mark.slow
@pytest.mark.edge(4, 5, 7, 14, 15, 16, 40, 49, 53, 55, 58, 60, 61)
def test_every_pass_ends_where_a_replay_from_nothing_ends() -> None:
    run_state_machine_as_test(Histories, settings=at_a_share(12))


@pytest.mark.slow
@pytest.mark.edge(7, 50, 51)
def test_what_stops_being_void_is_decoded_in_the_same_pass() -> None:
    run_state_machine_as_test(HistoriesOfFailures, settings=at_a_share(12))
