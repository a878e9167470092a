"""Tables as of any dump are what the oracle makes of the dumps up to it, and differences add up."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from duckdb import DuckDBPyConnection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csq_assets.dataconnect.as_of import as_of
from csq_assets.dataconnect.difference import Difference, DumpDifference, TableDifference
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.lake.locations import Lake, open_lake
from csq_assets.pipeline.replay import Replay
from csq_assets.warehouse.connection import open_warehouse
from csq_assets_tests import model
from csq_assets_tests.model import Delivered, Delivery, Row
from csq_assets_tests.pipeline.harness import Harness
from csq_assets_tests.pipeline.histories import History
from csq_assets_tests.platform import Listener
from csq_assets_tests.warehouse.deliveries import relation, relations

OWN = ("_raw_user_id", "_dump_id")


@st.composite
def few_people(draw: st.DrawFn, name: str) -> Delivered:
    ids = st.integers(1, 3)
    if name == "user_migrations":
        row = st.fixed_dictionaries({"from_user_id": ids.map(str), "to_user_id": ids.map(str)})
    else:
        row = st.fixed_dictionaries(
            {"user_id": ids, "event_id": ids, draw(st.sampled_from("ab")): st.sampled_from("xy")}
        )
    rows: list[Row] = draw(st.lists(row, min_size=1, max_size=5))
    return Delivered(tuple(rows[0]), tuple(rows), draw(st.integers(0, 6)) > 0)


class Decoded(History):
    """Deliveries, some broken or delivered again, each decoded and none refreshed."""

    steps = ("deliver", "deliver", "deliver", "deliver_part_again", "repair_in_place")
    dumps = range(8, 13)

    def decode(self) -> None:
        plan = self.harness.plan_decoding()
        self.harness.decode([(one.dump_id, table) for one in plan.decode for table in one.tables])

    @property
    def dump_ids(self) -> list[int]:
        return sorted(self.harness.manifests)

    def up_to(self, dump_id: int) -> list[Delivery]:
        return [one for one in self.harness.oracle if one.dump_id <= dump_id]

    def replay(self, connection: DuckDBPyConnection, dump_id: int) -> Replay:
        """Of all tables that there are after the dump."""
        state = as_of(self.state, dump_id)
        tables = tuple(state.catalog.names(state.skips).kept)
        return Replay(connection, self._lake, tables, self.harness.now)

    @property
    def state(self) -> PipelineState:
        return self._lake.state(lambda _table: False)

    @property
    def _lake(self) -> Lake:
        return open_lake(str(self.harness.folder / "lake"), lambda: None)


class DecodedIncrements(Decoded):
    """The same of few people, who become one another: most dumps go on where others ended."""

    names = ("user_migrations", "users", "pageviews", "sign_up")
    table_of = staticmethod(few_people)
    failures = st.just(value=False)


def check_as_of(history: Decoded, dump_id: int) -> None:
    """A file filled as of the dump is what the oracle says of the dumps up to it."""
    oracle = history.up_to(dump_id)
    with TemporaryDirectory() as folder:
        path = Path(folder, "then.duckdb")
        with open_warehouse(path) as connection:
            replay, state = history.replay(connection, dump_id), as_of(history.state, dump_id)
            replay.fill(state, Listener())
            replay.refresh(state).refresh_meta()
        _check_file(path, oracle)


def _check_file(path: Path, oracle: list[Delivery]) -> None:
    with open_warehouse(path, read_only=True) as connection:
        assert relations(connection) == model.current_tables(oracle)
        identity = connection.execute("FROM csq_meta.user_identity").fetchall()
        counting = model.counting_dumps(oracle)
        assert Counter(identity) == Counter(model.user_identity(counting).items())
        dumps = connection.execute("SELECT dump_id, table_name, status FROM csq_meta.dumps")
        assert {(one, table): status for one, table, status in dumps.fetchall()} == (
            model.dump_statuses(oracle)
        )
        assert relation(connection, "all_events").rows == model.all_events(oracle)


def check_difference(history: Decoded, first: int, last: int) -> None:
    """The figures lead from the oracle's table as of the first dump to that as of the last."""
    came = [dump_id for dump_id in history.dump_ids if first <= dump_id <= last]
    then = {dump_id: model.current_tables(history.up_to(dump_id)) for dump_id in came}
    maps = [model.user_identity(model.counting_dumps(history.up_to(one))) for one in came]
    with TemporaryDirectory() as folder, open_warehouse(Path(folder, "then.duckdb")) as connection:
        replay = history.replay(connection, last)
        identity, found = replay.explain(history.state, first, last, Listener())
        assert relations(connection) == then[last]
    assert (identity.resolved_before, identity.resolved_after) == (len(maps[0]), len(maps[-1]))
    assert identity.changed == sum(
        one.get(user) != other.get(user) for one, other in pairwise(maps) for user in {*one, *other}
    )
    statuses = model.dump_statuses(history.up_to(last))
    assert set(then[last]) <= {one.table for one in found}
    for table in found:
        name = table.table
        for status, dump_ids in (("failed", table.failed), ("held", table.held)):
            assert set(dump_ids) == {
                dump_id for (dump_id, one), of in statuses.items() if (one, of) == (name, status)
            }
        rows = [relation.rows.total() if relation else 0 for relation in _of(then, name)]
        _check_adds_up(table, rows[0], rows[-1])
        columns = [relation.columns if relation else () for relation in _of(then, name)]
        assert set(table.difference.columns_added) == _beside(columns[-1], columns[0])
        assert set(table.difference.columns_removed) == _beside(columns[0], columns[-1])
        changes = {one.dump_id: one for one in table.dumps}
        for place, dump_id in enumerate(came[1:], 1):
            nothing = Difference(rows[place - 1], rows_after=rows[place])
            change = changes.get(dump_id) or DumpDifference(dump_id, "unchanged", nothing)
            assert change.difference.unaccounted == 0
            assert change.difference.rows_before == rows[place - 1]
            assert change.difference.rows_after == rows[place]
            is_settled = maps[place - 1] == maps[place]
            _check_arrivals(
                history, name, came[place - 1 : place + 1], change, is_settled=is_settled
            )


def _check_adds_up(table: TableDifference, before: int, after: int) -> None:
    total = table.difference
    assert (total.rows_before, total.rows_after, total.unaccounted) == (before, after, 0)
    for figure in ("rows_void", "rows_in", "duplicates_dropped", "users_merged", "rows_new"):
        each = [getattr(one.difference, figure) for one in table.dumps]
        assert getattr(total, figure) == sum(each)


def _check_arrivals(
    history: Decoded,
    table: str,
    dump_ids: list[int],
    change: DumpDifference,
    *,
    is_settled: bool,
) -> None:
    """What came is what the oracle counts; where no user moved, so is what is new and updated."""
    before, after = (model.counting_dumps(history.up_to(one)).get(table, []) for one in dump_ids)
    if table == "user_migrations":
        before, after = before[-1:], after[-1:]  # it is complete each time
    figures = change.difference
    if change.change == "replayed":
        assert figures.rows_void == figures.rows_before
        assert figures.rows_in == sum(len(dump.rows or ()) for dump in after)
        return
    assert figures.rows_void == 0
    new = [dump.dump_id for dump in after if dump not in before]
    assert figures.rows_in == sum(len(dump.rows or ()) for dump in after if dump not in before)
    if is_settled and table != "users":  # whose rows may be merged into others
        shown = model.current_tables(history.up_to(dump_ids[-1])).get(table, model.Relation(()))
        place = len(shown.columns) - 1  # of `_dump_id`
        arrived = sum(times for row, times in shown.rows.items() if row[place] in new)
        assert figures.rows_new + figures.rows_updated == arrived
        assert figures.rows_new == figures.rows_after - figures.rows_before


def _of(then: dict[int, dict[str, model.Relation]], table: str) -> list[model.Relation | None]:
    return [tables.get(table) for tables in then.values()]


def _beside(columns: tuple[str, ...], others: tuple[str, ...]) -> set[str]:
    lowered = {name.lower() for name in (*others, *OWN)}
    return {name for name in columns if name.lower() not in lowered}


def check(kind: type[Decoded], *, percent: int) -> None:
    @settings(
        max_examples=settings().max_examples * percent // 100,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(data=st.data(), steps=st.lists(st.sampled_from(kind.steps), min_size=2, max_size=5))
    def replay(data: st.DataObject, steps: list[str]) -> None:
        with TemporaryDirectory() as folder:
            history = kind(Harness(Path(folder)), data)
            for step in ["deliver", *steps]:
                getattr(history, step)()
                history.decode()
            first = history.draw(st.sampled_from(history.dump_ids), "as of")
            check_as_of(history, first)
            check_difference(history, history.dump_ids[0], history.dump_ids[-1])

    replay()


@pytest.mark.slow
def test_tables_as_of_a_dump_and_what_changed_since() -> None:
    check(Decoded, percent=10)


@pytest.mark.slow
def test_the_same_where_many_users_become_one() -> None:
    check(DecodedIncrements, percent=15)
