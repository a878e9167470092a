"""The defining SELECTs: other engines can have them, and the instants they tell are the oracle's."""

import duckdb
import pytest
import sqlglot
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import ErrorLevel, exp

from csq_assets.dataconnect.instants import microseconds_from_text
from csq_assets.warehouse.all_events_sql import NO_EVENTS, events_of
from csq_assets.warehouse.delivered_sql import arriving_ids, arriving_rows
from csq_assets.warehouse.identity_sql import (
    CAST_PAIRS,
    PAIRS_IN_FORCE,
    PAIRS_TO_FOLLOW,
    RESOLVED_IDS,
)
from csq_assets.warehouse.instant_sql import instant
from csq_assets.warehouse.keyed_sql import KEY_VERDICT, USER_VERDICT
from csq_assets.warehouse.users_sql import merged_users
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
    "all_events": " UNION ALL ".join(
        [
            NO_EVENTS,
            events_of("a'b", has_session=True, time="c1"),
            events_of("1st", has_session=False, time=None),
        ]
    ),
    "no_events": NO_EVENTS,
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


DAYS = st.from_regex(
    r"[0-2][0-9]{3}(-?[0-1][0-9]-?[0-3][0-9]|-?[0-3][0-9]{2}|-?W[0-5][0-9]-?[0-8])", fullmatch=True
)
CLOCKS = st.from_regex(
    r"([Tt ][0-2][0-9](:?[0-6][0-9](:?[0-6][0-9])?)?([.,][0-9]{1,17})?"
    r"( ?(Z|z|UTC|GMT|[+-][0-2][0-9](:?[0-6][0-9])?))?| UTC)?",
    fullmatch=True,
)
LAST_MINUTES = st.from_regex(
    r"2016-12-31[Tt ](23:59:60|24:00(:00)?|24|15:59:60|235960)([.,][0-9]{1,3})?"
    r"(Z| UTC|-08(:00)?|\+08)?",
    fullmatch=True,
)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-(10**15), 10**15).map(str),
    st.from_regex(r"-?[0-9]{1,17}\.[0-9]{1,8}", fullmatch=True),
)
ODD = st.text(st.sampled_from("0129-:.,TtWZzUTC +\né"), max_size=20)
INSTANTS = {  # 2024-04-24 23:06:40 in many spellings
    "1714000000",
    "1714000000000",
    "1714000000000000",
    "1714000000.0",
    "2024-04-24T23:06:40",
    "2024-04-24t23:06:40z",
    "2024-04-24 23:06:40 UTC",
    "2024-04-24 23:06:40 GMT",
    "2024-04-24T23:06:40.000Z",
    "2024-04-24T23:06:40,0 Z",
    "20240424T230640Z",
    "20240424 230640+0000",
    "2024-W17-3T23:06:40Z",
    "2024W173T230640",
    "2024-115T23:06:40",
    "2024115T230640Z",
    "2024-04-25T01:06:40+02",
    "2024-04-24 18:36:40 -0430",
    "2024-04-24T23:06.666666666666667",
}
OTHER_INSTANTS = {
    "2024-04-24": 1_713_916_800,
    "2024-04-24 UTC": 1_713_916_800,
    "20240424 UTC": 1_713_916_800,
    "2024-W17-3": 1_713_916_800,
    "2024-115": 1_713_916_800,
    "20240424": 20_240_424,  # digits alone are an epoch
    "2024115": 2_024_115,
    "2024-04-24T24:00": 1_714_003_200,
    "2024-04-24T24": 1_714_003_200,
    "2024-04-24T06": 1_713_938_400,
    "2024-04-24T06.5Z": 1_713_940_200,
    "2016-12-31T23:59:60Z": 1_483_228_800,
    "2016-12-31T15:59:60-08:00": 1_483_228_800,
    "2020-W53-7": 1_609_632_000,
    "1969-12-31T23:59:59.5Z": -0.5,
    "0001-01-01": -62_135_596_800,
    "9999-12-31T24:00:00": 253_402_300_800,
}
NO_INSTANTS = [
    "0000-01-01",
    "2024-02-30",
    "2023-366",
    "2024-000",
    "2021-W53-1",
    "2024-W00-1",
    "2024-W17-0",
    "2024-W17",
    "2024-04",
    "2024-04-24\n",
    "2024-04-24Z",
    "2024-04-24T",
    "2024-04-24TUTC",
    "2024-04-24T24:00:01",
    "2024-04-24T24.5",
    "2024-04-24T25",
    "2024-04-24T23:60",
    "2024-04-24T23:59:61",
    "2024-04-24T12:59:60",
    "2024-04-24T23:06:40utc",
    "2024-04-24T23:06:40UTC",
    "2024-04-24  23:06:40",
    "2024-04-24T23:06+05:60",
    "2024-04-24T23:06+24:00",
    "2024-04-24T1:06",
    "2024-04-24T23:0640",
    "9223372036854775808",
    "1714000000Z",
    "٢٠٢٤-04-24",
    "",
]


def in_duckdb(texts: list[str]) -> list[int | None]:
    with duckdb.connect() as connection:
        given_texts = "FROM (SELECT unnest(?::VARCHAR[]) AS text)"
        found = connection.execute(f"{given_texts} SELECT {instant('text')}", [texts])
        return [microseconds for (microseconds,) in found.fetchall()]


@example(["100000000000.5", "99999999999", "-9223372036854775808", "9999-W52-7", *NO_INSTANTS])
@settings(deadline=None)
@given(
    st.lists(
        NUMBERS | ODD | st.tuples(DAYS, CLOCKS).map("".join) | LAST_MINUTES, min_size=1, max_size=50
    )
)
def test_an_instant_is_the_one_that_the_oracle_gives(texts: list[str]) -> None:
    expected = [
        None if found is None else int(found * 1_000_000) for found in map(model.instant, texts)
    ]
    assert dict(zip(texts, map(microseconds_from_text, texts), strict=True)) == dict(
        zip(texts, expected, strict=True)
    )
    assert dict(zip(texts, in_duckdb(texts), strict=True)) == dict(
        zip(texts, expected, strict=True)
    )


@pytest.mark.edge(44)
def test_every_spelling_of_an_instant_is_understood() -> None:
    spelled = {**dict.fromkeys(INSTANTS, 1_714_000_000), **OTHER_INSTANTS}
    assert dict(zip(spelled, in_duckdb(list(spelled)), strict=True)) == {
        text: int(seconds * 1_000_000) for text, seconds in spelled.items()
    }


def test_what_is_not_an_instant_is_none() -> None:
    assert dict(zip(NO_INSTANTS, in_duckdb(NO_INSTANTS), strict=True)) == dict.fromkeys(NO_INSTANTS)
