"""Columns and names as they are delivered, whatever DuckDB makes of them."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from csq_assets.warehouse.columns import shown_names
from csq_assets.warehouse.partition_files import DumpContent
from csq_assets_tests.model import Delivered
from csq_assets_tests.warehouse.deliveries import (
    Platform,
    as_file,
    delivered,
    refresh,
    relation,
)

NAMES = st.lists(
    st.sampled_from(["plan", "Plan", "PLAN", "plan_2", "Plan_2", "É", "é"]), unique=True
)


@pytest.mark.edge(66)
@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        (["Plan", "plan"], ["Plan", "plan_2"]),
        (["plan", "PLAN", "Plan"], ["plan", "PLAN_2", "Plan_3"]),
        (["Plan", "plan", "plan_2"], ["Plan", "plan_3", "plan_2"]),
        (["plan_2", "Plan", "plan", "Plan_2"], ["plan_2", "Plan", "plan_3", "Plan_2_2"]),
        (["É", "é"], ["É", "é"]),
    ],
)
def test_names_that_differ_only_in_case_get_the_next_free_suffix(
    columns: list[str], shown: list[str]
) -> None:
    assert list(shown_names(columns).values()) == shown


@given(NAMES)
def test_shown_names_can_be_told_apart(columns: list[str]) -> None:
    names = shown_names(columns)
    assert list(names) == columns
    assert len({name.encode().lower() for name in names.values()}) == len(columns)


@pytest.mark.edge(66)
def test_columns_that_differ_only_in_case_keep_their_values(platform: Platform) -> None:
    platform.deliver(12, users=delivered(["user_id", "Plan", "plan"], (1, "a", "b"))).sync()
    assert platform.rows("users") == [{"user_id": 1, "Plan": "a", "plan_2": "b", "_dump_id": 12}]
    platform.deliver(13, users=delivered(["user_id", "plan", "Plan"], (2, "c", "d"))).sync()
    assert platform.rows("users") == [
        {"user_id": 1, "plan_2": "b", "Plan": "a", "_dump_id": 12},
        {"user_id": 2, "plan_2": "c", "Plan": "d", "_dump_id": 13},
    ]


@pytest.mark.edge(66)
def test_a_new_spelling_does_not_change_what_a_query_means(platform: Platform) -> None:
    """The spelling first seen keeps the plain name, also while a manifest does not list it."""
    seen = []
    for dump_id, columns in enumerate(("plan", "Plan plan", "Plan", "PLAN Plan plan_2"), start=12):
        platform.deliver(dump_id, notes=delivered(columns)).sync()
        seen.append(relation(platform.connection, "notes").columns[:-1])
    assert seen == [("plan",), ("Plan_2", "plan"), ("Plan_2",), ("PLAN_4", "Plan_3", "plan_2")]


@pytest.mark.edge(66)
def test_a_late_dump_and_a_full_resync_decide_again_which_spelling_was_first(
    platform: Platform,
) -> None:
    seen = []
    for dump_id, columns, full in (
        (13, "plan Plan", False),
        (12, "Plan", False),
        (14, "plan", True),
    ):
        platform.deliver(dump_id, notes=delivered(columns, full_resync=full)).sync()
        seen.append(relation(platform.connection, "notes").columns[:-1])
    assert seen == [("plan", "Plan_2"), ("plan_2", "Plan"), ("plan",)]


@pytest.mark.edge(66)
def test_columns_that_differ_only_in_case_are_told_apart_in_the_partition(
    platform: Platform,
) -> None:
    columns = ["text", "User_id", "TEXT", "event_id", "user_id", "Text", "File_Row_Number"]
    platform.deliver(12, notes=delivered(columns, ("a", "b", "c", 4, 5, "d", "e"))).sync()
    assert platform.rows("notes") == [
        {
            "text": "a",
            "User_id": "b",
            "TEXT_2": "c",
            "event_id": 4,
            "user_id_2": 5,
            "Text_3": "d",
            "File_Row_Number": "e",
            "_raw_user_id": 5,
            "_dump_id": 12,
        }
    ]


@pytest.mark.edge(64, 67)
@pytest.mark.parametrize(
    "table",
    ["_key_events__order_", "1st_visit", "a-b", 'say "hi"; --', "select", "x" * 90, "ünïcode 🎉"],
)
def test_any_name_works_as_it_is(platform: Platform, table: str) -> None:
    odd = ["order", "group", "_email", "with space", 'with "quote"', "it's", "^a.*$", "c" * 90]
    odd += [
        "file_row_number",
        "filename",
        "ordinal",
        "shown",
        "dump_id",
        "raw_user_id",
        "address",
        "c1",
        "place",
        "rowid",
    ]
    values = [f"value of {name}" for name in odd]
    columns = ["user_id", "event_id", *odd]
    for dump_id in (12, 13):
        platform.deliver(dump_id, {table: delivered(columns, (1, dump_id, *values))}).sync()
    expected = {"user_id": 1, **dict(zip(odd, values, strict=True)), "_raw_user_id": 1}
    assert [
        {name: value for name, value in row.items() if name not in ("event_id", "_dump_id")}
        for row in platform.rows(table)
    ] == [expected, expected]
    found = relation(platform.connection, "all_events").rows
    assert sorted(row[4] for row in found) == [table, table]


@pytest.mark.edge(30, 69)
def test_columns_come_go_and_come_back_with_their_old_values(platform: Platform) -> None:
    platform.deliver(12, notes=delivered("text tier", ("a", "gold"))).sync()
    platform.deliver(13, notes=delivered("plan text", ("pro", "b"))).sync()
    assert platform.rows("notes") == [
        {"plan": "pro", "text": "b", "_dump_id": 13},
        {"plan": None, "text": "a", "_dump_id": 12},
    ]
    platform.deliver(14, notes=delivered("tier text")).sync()
    assert platform.rows("notes") == [
        {"tier": "gold", "text": "a", "_dump_id": 12},
        {"tier": None, "text": "b", "_dump_id": 13},
    ]


def test_the_order_of_columns_is_the_newest_manifests(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered("path event_id user_id", ("/", 900, 1))).sync()
    assert relation(platform.connection, "pageviews").columns == (
        "path",
        "event_id",
        "user_id",
        "_raw_user_id",
        "_dump_id",
    )
    types = platform.connection.execute("DESCRIBE csq.pageviews").fetchall()
    assert [kind for _, kind, *_ in types] == ["VARCHAR", "BIGINT", "BIGINT", "BIGINT", "BIGINT"]


def test_a_table_without_a_user_says_nothing_of_users(platform: Platform) -> None:
    platform.deliver(12, _event_metadata=delivered("name", ("x",))).sync()
    assert platform.rows("_event_metadata") == [{"name": "x", "_dump_id": 12}]


def test_a_table_may_have_no_column_at_all(platform: Platform) -> None:
    platform.deliver(12, empty=delivered("", (), ())).sync()
    assert platform.rows("empty") == [{"_dump_id": 12}, {"_dump_id": 12}]


@pytest.mark.edge(32, 34)
def test_values_stay_as_they_are(platform: Platform) -> None:
    texts = ["", "line\nbreak", "nul\0nul", "🎉", "true", "1.5", '{"a":1}']
    rows = [(9007199254740993 + place, place, text) for place, text in enumerate(texts)]
    platform.deliver(12, pageviews=delivered("user_id event_id path", *rows)).sync()
    found = sorted(
        (row["user_id"], row["event_id"], row["path"]) for row in platform.rows("pageviews")
    )
    assert found == rows


def test_many_columns_are_added_by_one_statement(platform: Platform) -> None:
    """DuckDB copies the description of every column for each column that is added by itself."""
    platform.connection.execute("CALL enable_logging('QueryLog', storage = 'memory')")
    many = tuple(f"property_{number}" for number in range(1000))
    seen = []
    for dump_id, columns in ((12, many[:2]), (13, many[:4]), (14, many), (15, (*many, "new"))):
        platform.deliver(dump_id, wide=delivered(("user_id", *columns), (dump_id, *columns)))
        change = platform.sync()["wide"].change
        altered = platform.connection.execute(
            "SELECT count(*) FROM duckdb_logs WHERE message LIKE 'ALTER TABLE%'"
        ).fetchall()[0][0]
        seen.append((change, altered))
    assert seen == [("replayed", 0), ("appended", 2), ("replayed", 2), ("appended", 3)]
    assert platform.rows("wide")[3] == {
        "user_id": 15,
        **{column: column for column in (*many, "new")},
        "_raw_user_id": 15,
        "_dump_id": 15,
    }


def test_a_large_partition_needs_little_memory(platform: Platform) -> None:
    """It is not held whole, neither as Parquet nor as rows: 90 MB of text by 40 MB of memory."""
    platform.connection.execute("SET memory_limit = '40MB'; SET threads = 1")
    numbers = pl.int_range(300_000, dtype=pl.Int64)
    text = pl.format("{} is the path of the page that was viewed", numbers * 7919)
    frame = pl.select(
        user_id=numbers % 1000, event_id=numbers, path=text, title=text.str.reverse()
    ).with_columns(pl.concat_str("path", "title").alias("said"))
    dump = DumpContent(12, "large", lambda: tuple(frame.columns), lambda: as_file(frame))
    refresh(platform.connection, "pageviews", [dump])
    found = platform.connection.execute(
        "SELECT count(*), count(DISTINCT event_id), sum(length(said)) FROM csq.pageviews"
    ).fetchall()
    assert found == [(300_000, 300_000, frame.get_column("said").str.len_bytes().sum())]


def test_a_replay_for_many_columns_that_no_manifest_names_shows_the_same(
    platform: Platform,
) -> None:
    platform.deliver(12, notes=delivered("a b", ("of a", "of b"))).sync()
    platform.deliver(11, notes=delivered("b a", ("old b", "old a"))).sync()
    extra = {f"extra_{number}": "x" for number in range(400)}
    row = {"a": "new a", "b": "new b", **extra}
    platform.deliver(13, notes=Delivered(("a", "b"), (row,)))
    assert platform.sync()["notes"].change == "replayed"
    assert platform.rows("notes") == [
        {"a": "new a", "b": "new b", "_dump_id": 13},
        {"a": "of a", "b": "of b", "_dump_id": 12},
        {"a": "old a", "b": "old b", "_dump_id": 11},
    ]
