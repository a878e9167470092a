"""The defining SELECTs: other engines can have them, and the instants they tell are the oracle's."""

import duckdb
import pytest
import sqlglot
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import ErrorLevel, exp

from csq_assets.warehouse.all_events_sql import EventTable, all_events, no_events
from csq_assets.warehouse.delivered_sql import arriving_ids, arriving_rows
from csq_assets.warehouse.identity_sql import (
    CAST_PAIRS,
    PAIRS_IN_FORCE,
    PAIRS_TO_FOLLOW,
    RESOLVED_IDS,
)
from csq_assets.warehouse.instant_sql import instant
from csq_assets.warehouse.keyed_sql import KEY_VERDICT
from csq_assets.warehouse.users_sql import USER_VERDICT, merged_users
from csq_assets_tests import model

DEFINITIONS = {
    "cast_pairs": CAST_PAIRS,
    "pairs_in_force": PAIRS_IN_FORCE,
    "pairs_to_follow": PAIRS_TO_FOLLOW,
    "resolved_ids": RESOLVED_IDS,
    "arriving_ids": arriving_ids(1234),
    "arriving_rows": arriving_rows(["c1"], 1234),
    "key_verdict": KEY_VERDICT,
    "user_verdict": USER_VERDICT,
    "merged_users": merged_users(["c1", "c2", "c3"], joindate="c1", last_modified="c2"),
    "all_events": all_events(
        [
            EventTable("a'b", has_session=True, time="c1"),
            EventTable("1st", has_session=False, time=None),
        ]
    ),
    "no_events": no_events(),
}
# Kept by one engine and not by another, or not the same in all of them.
UNLIKE = (exp.First, exp.AnyValue, exp.Struct, exp.MD5, exp.Qualify)


@pytest.mark.parametrize("dialect", ["spark", "athena", "trino", "duckdb"])
@pytest.mark.parametrize("name", DEFINITIONS)
def test_each_definition_can_be_rendered(name: str, dialect: str) -> None:
    (rendered,) = sqlglot.transpile(
        DEFINITIONS[name],
        read="duckdb",
        write=dialect,
        unsupported_level=ErrorLevel.RAISE,
        error_level=ErrorLevel.RAISE,
    )
    assert isinstance(sqlglot.parse_one(rendered, read=dialect), exp.Query)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_no_definition_uses_what_engines_do_differently(name: str) -> None:
    tree = sqlglot.parse_one(DEFINITIONS[name], read="duckdb")
    called = {node.sql_name().lower() for node in tree.find_all(exp.Func)}
    called |= {node.name.lower() for node in tree.find_all(exp.Anonymous)}
    assert not list(tree.find_all(*UNLIKE))
    assert not {name for name in called if "hash" in name or name in ("first", "rowid")}


DAYS = st.from_regex(r"[0-9]{4}-[0-1][0-9]-[0-3][0-9]", fullmatch=True)
CLOCKS = st.from_regex(
    r"([T ][0-2][0-9]:[0-6][0-9](:[0-6][0-9]([.,][0-9]{1,8})?)?"
    r"( ?(Z|[+-][0-2][0-9](:?[0-6][0-9])?))?)?",
    fullmatch=True,
)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-(10**15), 10**15).map(str),
    st.from_regex(r"-?[0-9]{1,17}\.[0-9]{1,8}", fullmatch=True),
)
ODD = st.text(st.sampled_from("0129-:.,TZ +\né"), max_size=20)


BOUNDS = [
    "1714000000000000",
    "100000000000.5",
    "99999999999",
    "-9223372036854775808",
    "9223372036854775808",
    "0000-01-01",
    "2024-02-30",
    "2024-04-24\n",
    "2024-04-24T24:00",
    "2024-04-24T23:06+05:60",
    "2024-04-24 23:06:40.1234567-02",
]


@example(BOUNDS)
@settings(deadline=None)
@given(st.lists(NUMBERS | ODD | st.tuples(DAYS, CLOCKS).map("".join), min_size=1, max_size=50))
def test_an_instant_is_the_one_that_the_oracle_tells(texts: list[str]) -> None:
    with duckdb.connect() as connection:
        given_texts = "FROM (SELECT unnest(?::VARCHAR[]) AS text)"
        found = connection.execute(
            f"{given_texts} SELECT text, {instant('text')}", [texts]
        ).fetchall()
    expected = {text: model.instant(text) for text in texts}
    assert found == [
        (text, None if expected[text] is None else int((expected[text] or 0) * 1_000_000))
        for text in texts
    ]


@pytest.mark.edge(44)
def test_three_spellings_of_one_instant() -> None:
    texts = ["1714000000000000", "1714000000", "2024-04-24 23:06:40"]
    assert {model.instant(text) for text in texts} == {1_714_000_000}
