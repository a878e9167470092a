"""What does not enter the lake: columns, values, rows of forgotten users."""

import hashlib
import hmac
from datetime import UTC, datetime

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from csq_assets.dataconnect.column_rules import ColumnRules
from csq_assets.dataconnect.identity import close_pairs
from csq_assets.dataconnect.redaction import Redaction
from csq_assets.dataconnect.tombstones import Tombstones, digest_of
from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.dataconnect.raw_tables import written

NOW = datetime(2026, 3, 1, tzinfo=UTC)
IDS = st.integers(-(2**63), 2**63 - 1)
ROWS = [
    {"user_id": 5, "event_id": 1, "Email": "ana@x", "plan": "free"},
    {"user_id": 6, "event_id": 2, "Email": None, "plan": "pro"},
]
RULES = ColumnRules(dropped=("*.plan",), hashed=("clicks.*",), key=b"a key")


def hashed(value: str) -> str:
    return hmac.new(b"a key", value.encode(), hashlib.sha256).hexdigest()


def test_columns_are_dropped_and_hashed_in_any_case() -> None:
    body = encode_avro(ROWS, None)
    result = written(
        {"a": body}, ("user_id", "event_id", "Email", "plan"), redaction=Redaction(columns=RULES)
    )
    assert result.frame.drop("_dump_id", "_source_file", "_source_row").to_dicts() == [
        {"user_id": 5, "event_id": 1, "Email": hashed("ana@x")},
        {"user_id": 6, "event_id": 2, "Email": None},
    ]
    schema = result.raw_schema
    assert (schema.dropped, schema.hashed) == (("plan",), ("Email",))
    assert schema.manifest_columns == ("user_id", "event_id", "Email")
    assert (schema.lacking, schema.extra, schema.respelled) == ({}, {}, {})


def test_a_column_that_only_files_have_is_dropped_too() -> None:
    bodies = {"a": encode_avro([{"user_id": 5, "event_id": 1}], None), "b": encode_avro(ROWS, None)}
    result = written(bodies, ("user_id", "event_id"), redaction=Redaction(columns=RULES))
    assert result.frame.columns == [
        "user_id",
        "event_id",
        "Email",
        "_dump_id",
        "_source_file",
        "_source_row",
    ]
    assert result.raw_schema.extra == {"Email": 1}


@given(st.sets(IDS), st.lists(st.none() | IDS, max_size=30))
def test_rows_are_kept_but_those_of_forgotten_users(gone: set[int], ids: list[int | None]) -> None:
    tombstones = Tombstones("salt").with_ids(gone, NOW)
    frame = pl.DataFrame({"user_id": pl.Series(ids, dtype=pl.Int64), "row": range(len(ids))})
    kept = tombstones.without_rows("clicks", frame)
    assert kept.rows() == [row for row in frame.rows() if row[0] is None or row[0] not in gone]


def test_pairs_that_name_a_forgotten_user_are_left_out() -> None:
    tombstones = Tombstones("salt").with_ids([-7], NOW)
    pairs = [("1", "2"), ("-7", "2"), ("1", "-07"), (None, "x"), ("7", None)]
    frame = pl.DataFrame(pairs, schema=["from_user_id", "to_user_id"], orient="row")
    kept = tombstones.without_rows("user_migrations", frame)
    assert kept.rows() == [("1", "2"), (None, "x"), ("7", None)]
    assert (
        tombstones.without_rows("clicks", frame) is frame
    )  # elsewhere such columns are properties


def test_a_hash_says_nothing_without_its_salt() -> None:
    assert digest_of("a", 5) == hashlib.sha256(b"a5").hexdigest() != digest_of("b", 5)
    once = Tombstones("a").with_ids([5], NOW).finished()
    again = once.with_ids([5, 6], datetime(2026, 3, 2, tzinfo=UTC))
    assert again.asked_at[digest_of("a", 5)] == NOW
    assert again.unfinished == (digest_of("a", 5), digest_of("a", 6))


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8))),
    st.sets(st.integers(0, 8), min_size=1),
)
def test_a_group_is_closed_in_both_directions(pairs: list[tuple[int, int]], ids: set[int]) -> None:
    identity = close_pairs(pairs)
    group = identity.group_of(ids)
    users = {identity.resolve(one) for one in ids}
    assert group == {one for one in (*range(9), *ids) if identity.resolve(one) in users}
    assert identity.group_of(group) == group
