"""Random histories of deliveries: after each sync the warehouse is what the oracle replays."""

from collections import Counter
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csq_assets.warehouse.connection import prepare_warehouse
from csq_assets_tests import model
from csq_assets_tests.model import IDS, Delivered, Row
from csq_assets_tests.warehouse.deliveries import Platform, relation, relations

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
def tables(draw: st.DrawFn, table: str) -> Delivered:
    always, sometimes = TABLES[table]
    some = draw(st.lists(st.sampled_from(sometimes), unique=True))
    columns = draw(st.permutations([*always, *some]))
    incremental = draw(st.sampled_from([True, True, False]))
    if draw(st.integers(0, 9)) == 0:
        return Delivered(tuple(columns), None, incremental)
    extra = draw(st.sampled_from([[], [], [name for name in sometimes if name not in some]]))
    row = st.fixed_dictionaries({name: value_of(name) for name in (*columns, *extra)})
    rows: list[Row] = draw(st.lists(row, max_size=5))
    return Delivered(tuple(columns), tuple(rows), incremental)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[int, dict[str, Delivered]]:
    names = draw(st.lists(st.sampled_from(list(TABLES)), unique=True, max_size=5))
    return draw(st.integers(8, 13)), {name: draw(tables(name)) for name in names}


def check(platform: Platform) -> None:
    expected = model.current_tables(platform.deliveries)
    assert relations(platform.connection) == expected
    events = relation(platform.connection, "all_events").rows
    assert events == model.all_events(platform.deliveries)
    identity = platform.connection.execute("FROM csq_meta.user_identity").fetchall()
    counting = model.counting_dumps(platform.deliveries)
    assert Counter(identity) == Counter(model.user_identity(counting).items())


@pytest.mark.edge(4, 5, 7, 14, 15, 16, 40, 49, 53, 55, 58, 60, 61)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(history=st.lists(st.tuples(deliveries(), st.booleans()), min_size=1, max_size=9))
def test_every_sync_ends_where_a_replay_from_nothing_ends(
    history: list[tuple[tuple[int, dict[str, Delivered]], bool]],
) -> None:
    with duckdb.connect() as connection:
        prepare_warehouse(connection)
        platform = Platform(connection)
        for (dump_id, listed), synced in history:
            platform.deliver(dump_id, listed)
            if not synced:
                continue
            audits = platform.sync()
            check(platform)
            for audit in audits.values():
                assert audit.unaccounted == 0
                assert audit.duplicated_keys == 0
        platform.sync()
        check(platform)
        again = platform.sync()
        assert {audit.change for audit in again.values()} <= {"unchanged"}
        standing = relations(connection)
        for audit in platform.sync(rebuild=True).values():
            assert audit.change == "replayed" or audit.rows_delivered == 0
        assert relations(connection) == standing
