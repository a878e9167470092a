"""Random histories of an export, for harnesses that compare what each pass leaves with the oracle."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


class History:
    """Deliveries of everything, in any order, with passes of which some are cut short."""

    steps = ("deliver", "deliver", "deliver_part_again", "repair_in_place", "cut_short", "sync")
    dumps = range(8, 14)
    names = tuple(TABLES)
    table_of = staticmethod(table_of_any_kind)
    failures = st.integers(0, 9).map(lambda number: number == 0)

    def __init__(self, harness: Harness, data: st.DataObject) -> None:
        self.harness = harness
        self._data = data

    def start(self) -> None:
        """What comes before the steps."""

    def draw(self, strategy: st.SearchStrategy[Any], label: str) -> Any:
        return self._data.draw(strategy, label=label)

    def deliver(self) -> None:
        names = self.draw(some_of([*self.names]), "names")[:5]
        self._deliver(
            self.draw(st.sampled_from(self.dumps), "dump"),
            {name: self.draw(self.table_of(name), name) for name in names},
        )

    def deliver_part_again(self) -> None:
        """Some tables of a dump, with the rows that they had; perhaps now as increments."""
        if self.harness.manifests:
            dump_id = self.draw(st.sampled_from(sorted(self.harness.manifests)), "dump")
            known = self.harness.manifests[dump_id].tables
            names = self.draw(some_of(sorted(known)), "names")
            incremental = self.draw(st.none() | st.booleans(), "incremental")
            self._deliver(
                dump_id,
                {
                    name: known[name]
                    if incremental is None
                    else as_(known[name], incremental=incremental)
                    for name in names
                },
            )

    def repair_in_place(self) -> None:
        for key in self.draw(some_of(self.harness.broken()), "repaired"):
            self.harness.repair(*key)

    def cut_short(self) -> None:
        """A pass that decodes all tables or some, and refreshes some of those that are behind, in any
        order, after the identity map or before it."""
        plan = self.harness.plan_decoding()
        work = [(work.dump_id, table) for work in plan.decode for table in work.tables]
        decoded = self.draw(st.just(work) | some_of(work), "decoded")
        self.harness.decode(decoded, is_whole_plan=False)
        behind = self.harness.plan_refresh().tables
        first = [IDENTITY, *(table for table in behind if table == "user_migrations")]
        others = [META, *(table for table in behind if table not in first)]
        start = self.draw(st.just(first) | some_of(first), "refreshed first")
        self.harness.refresh([*start, *self.draw(some_of(others), "refreshed")])

    def sync(self) -> None:
        self.harness.sync()

    def _deliver(self, dump_id: int, tables: dict[str, Delivered]) -> None:
        broken = [name for name in tables if self.draw(self.failures, f"{name} is broken")]
        self.harness.deliver(dump_id, tables, broken=broken)


class HistoryOfFailures(History):
    """Few dumps of one row, many of them broken, redelivered in part, and repaired."""

    steps = (*History.steps, "take_a_full_resync_back")
    dumps = range(1, 5)
    names = ("sessions", "notes")
    table_of = staticmethod(small_table)
    failures = st.booleans()

    def start(self) -> None:
        """A dump that is broken, and full resyncs after it."""
        tables = {name: self.draw(small_table(name), name) for name in self.names}
        self.harness.deliver(1, tables, broken=self.names)
        self.harness.deliver(
            3, {name: as_(table, incremental=False) for name, table in tables.items()}
        )
        self.harness.sync()

    def take_a_full_resync_back(self) -> None:
        """It is delivered again as an increment, or not at all; what it made void may be repaired."""
        self.repair_in_place()
        manifests = self.harness.manifests
        resyncs = [
            (dump_id, name)
            for dump_id, manifest in manifests.items()
            for name, table in manifest.tables.items()
            if not table.incremental
        ]
        if resyncs:
            dump_id, name = self.draw(st.sampled_from(resyncs), "taken back")
            tables = dict(manifests[dump_id].tables)
            table = tables.pop(name)
            if self.draw(st.booleans(), "as an increment"):
                tables[name] = as_(table, incremental=True)
            broken = set(manifests[dump_id].broken) & set(tables)
            self.harness.deliver(dump_id, tables, broken=broken)
        self.harness.sync()


class HistoryOfMigrations(History):
    """Identity maps that change while only some tables follow."""

    steps = ("deliver", "cut_short", "sync", *["change_identities"] * 3)
    dumps = range(2, 5)
    names = ("user_migrations", "users", "notes")
    table_of = staticmethod(migrated_table)
    failures = st.just(value=False)

    def start(self) -> None:
        tables = {name: self.draw(migrated_table(name), name) for name in ("users", "notes")}
        self.harness.deliver(1, tables)
        self.harness.sync()

    def change_identities(self) -> None:
        migrations = self.draw(migrated_table("user_migrations"), "migrations")
        self.harness.deliver(9, {"user_migrations": migrations})
        plan = self.harness.plan_decoding()
        self.harness.decode([(work.dump_id, name) for work in plan.decode for name in work.tables])
        followers = self.draw(st.sampled_from([[], ["users"], ["notes"]]), "followers")
        behind = self.harness.plan_refresh().tables
        steps = [IDENTITY, "user_migrations", *followers]
        self.harness.refresh([step for step in steps if step == IDENTITY or step in behind])


class HistoryOfForgotten(History):
    """Users who are forgotten amid all that, and are delivered again."""

    steps = ("deliver", "deliver", "deliver_part_again", "cut_short", "sync", "forget", "forget")
    names = ("users", "pageviews", "notes", "user_migrations")
    failures = st.just(value=False)

    def forget(self) -> None:
        self.harness.forget(self.draw(st.sets(USERS, min_size=1, max_size=2), "forgotten"))


def as_(table: Delivered, *, incremental: bool) -> Delivered:
    """The same rows, as an increment or as a full resync."""
    return Delivered(table.columns, table.rows, incremental)


def check(
    kind: type[History], *, percent: int, opened: Callable[[Path], Harness] = Harness
) -> None:
    """Check so many of the profile's examples: each has several passes, in a folder of its own. In CI
    they are always the same ones, as hypothesis's own profile says."""

    @settings(
        max_examples=settings().max_examples * percent // 100,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(data=st.data(), steps=st.lists(st.sampled_from(kind.steps), min_size=3, max_size=9))
    def replay(data: st.DataObject, steps: list[str]) -> None:
        with TemporaryDirectory() as folder:
            history = kind(opened(Path(folder)), data)
            history.start()
            for step in steps:
                getattr(history, step)()
            history.harness.sync()
            history.harness.rebuild()

    replay()
