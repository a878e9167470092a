"""What a table is, and which name it gets."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csq_assets.dataconnect.manifest import TableDump
from csq_assets.dataconnect.tables import (
    BUILT_IN_TABLES,
    ID_COLUMNS,
    TableKind,
    asset_name,
    claim_names,
    is_reserved_table,
    key_columns,
    kind_of,
    raw_asset,
    refuse_unusable_columns,
)
from csq_assets.errors import NameClashError

EVENT = ("event_id", "user_id", "session_id", "time")
RENAME = "Rename it at Contentsquare, or put the table into CSQ_SKIP_TABLES."


def table_dump(table: str, columns: tuple[str, ...] = ()) -> TableDump:
    return TableDump(dump_id=12, table=table, incremental=True, columns=columns, files=())


@pytest.mark.parametrize(
    ("table", "columns", "kind", "key"),
    [
        ("users", ("user_id", "email"), TableKind.USERS, ("user_id",)),
        ("sessions", EVENT, TableKind.SESSIONS, ("user_id", "session_id")),
        ("pageviews", EVENT, TableKind.EVENTS, ("user_id", "event_id")),
        ("user_migrations", ("from_user_id", "to_user_id"), TableKind.USER_MIGRATIONS, ()),
        ("user_migrations", EVENT, TableKind.USER_MIGRATIONS, ()),
        ("sign_up_click_link", EVENT, TableKind.EVENTS, ("user_id", "event_id")),
    ],
)
def test_tables_have_a_kind_and_its_key(
    table: str, columns: tuple[str, ...], kind: TableKind, key: tuple[str, ...]
) -> None:
    assert (kind_of(table, columns), key_columns(table, columns)) == (kind, key)


@pytest.mark.edge(35)
def test_built_in_tables_need_their_ids_whatever_their_manifest_lists() -> None:
    assert key_columns("users", ("email",)) == ("user_id",)
    assert key_columns("sessions", ("user_id",)) == ("user_id", "session_id")


@pytest.mark.edge(43)
@pytest.mark.parametrize("columns", [(), ("user_id",), ("event_id",), ("user_id", "session_id")])
def test_a_table_without_both_ids_of_an_event_has_no_key(columns: tuple[str, ...]) -> None:
    assert (kind_of("surveys", columns), key_columns("surveys", columns)) == (TableKind.OTHER, ())


@pytest.mark.edge(68)
def test_names_besides_the_built_in_ones_mean_nothing() -> None:
    assert kind_of("page_views", EVENT) is TableKind.EVENTS
    assert kind_of("Users", ("user_id",)) is TableKind.OTHER
    assert kind_of("_event_metadata", ("event_table_name", "event_name")) is TableKind.OTHER
    assert key_columns("_event_metadata", ("event_table_name", "event_name")) == ()
    assert claim_names(["page_views", "_event_metadata", "pageviews"]).refused == {}


@pytest.mark.edge(67)
def test_ids_are_told_by_their_exact_names() -> None:
    assert kind_of("clicks", ("USER_ID", "event_id", "user_id ")) is TableKind.OTHER
    assert kind_of("clicks", ("order", "event_id", "x" * 90, "user_id")) is TableKind.EVENTS


@pytest.mark.edge(64)
def test_odd_names_that_contentsquare_makes_stay() -> None:
    tables = ("_key_events__order_", "1st_visit", "x" * 60)
    names = claim_names(tables)
    assert (names.kept, names.refused) == (tables, {})
    assert tuple(map(asset_name, tables)) == tables


def test_asset_keys_take_letters_digits_and_underscores() -> None:
    assert asset_name("a-b c.d/😀") == "a_b_c_d__"
    assert asset_name("Signup") == "Signup"
    assert raw_asset("user-events") == "csq/raw/user_events"


def test_names_in_any_script_have_keys_of_their_own() -> None:
    tables = ("購入", "登録", "клик", "вход", "βήμα", "é", "è", "x٣", "__")
    names = claim_names(tables)
    assert (names.kept, names.refused) == (tables, {})
    assert asset_name("購入") == "___a78fd552"
    assert asset_name("größe") == "gr__e_d353a267"


@pytest.mark.edge(65)
@pytest.mark.parametrize(
    ("first", "second"),
    [("a-b", "a_b"), ("a_b", "a-b"), ("Signup", "signup"), ("a.b", "A.B"), ("😀", "-")],
)
def test_of_two_names_that_meet_the_first_is_kept(first: str, second: str) -> None:
    names = claim_names([first, "users", second])
    assert names.kept == (first, "users")
    assert {table: str(error) for table, error in names.refused.items()} == {
        second: f"table {second}: its name cannot be told apart from that of table "
        f'"{first}", which came first. {RENAME}'
    }


@pytest.mark.edge(65)
def test_names_that_differ_in_asset_key_and_in_case_at_once_do_not_meet() -> None:
    # "A_B" and "a-b": csq/raw/A_B and csq/raw/a_b, "A_B" and "a-b" in DuckDB.
    assert claim_names(["A_B", "a-b"]).kept == ("A_B", "a-b")


@pytest.mark.edge(65)
def test_a_refused_name_keeps_no_other_from_its_place() -> None:
    # a_b is refused for a-b; "A_B" would meet a_b only.
    names = claim_names(["a-b", "a_b", "A_B"])
    assert (names.kept, list(names.refused)) == (("a-b", "A_B"), ["a_b"])


def test_a_table_seen_again_does_not_meet_itself() -> None:
    assert claim_names(["users", "users"]).kept == ("users",)


@pytest.mark.parametrize(
    "table",
    ["all_events", "ALL_EVENTS", "all-events", "property_definitions", "Property Definitions"],
)
def test_our_own_table_names_are_given_to_none(table: str) -> None:
    assert is_reserved_table(table)
    names = claim_names([table, "users"])
    assert names.kept == ("users",)
    assert {name: str(error) for name, error in names.refused.items()} == {
        table: f"table {table}: its name is one that csq_assets uses itself. {RENAME}"
    }


def test_names_near_our_own_are_free() -> None:
    assert not any(map(is_reserved_table, (*BUILT_IN_TABLES, "all_events_", "allevents")))


@pytest.mark.parametrize(
    "column", ["_dump_id", "_Dump_Id", "_source_file", "_SOURCE_ROW", "_raw_user_id"]
)
def test_our_own_column_names_are_refused(column: str) -> None:
    dump = table_dump("users", ("user_id", column, "_dump_id"))
    with pytest.raises(NameClashError) as refused:
        refuse_unusable_columns(dump, dump.columns)
    assert str(refused.value) == (
        f'dump 12, table users: the column\'s name "{column}" is one that csq_assets uses itself. '
        f"{RENAME}"
    )


@pytest.mark.edge(67)
@pytest.mark.parametrize(
    "column", ["order", "dump_id", "_email", "_dump_id_2", "x" * 90, *ID_COLUMNS]
)
def test_other_column_names_pass(column: str) -> None:
    dump = table_dump("users", (column,))
    assert refuse_unusable_columns(dump, dump.columns) is None


TABLES = st.lists(st.text("abAB_-.", min_size=1, max_size=3) | st.sampled_from(["all_events", "é"]))


@given(tables=TABLES)
def test_every_table_is_kept_or_refused_and_no_two_kept_meet(tables: list[str]) -> None:
    names = claim_names(tables)
    assert sorted((*names.kept, *names.refused)) == sorted(set(tables))
    assert len({asset_name(table) for table in names.kept}) == len(names.kept)
    assert len({table.lower() for table in names.kept}) == len(names.kept)
    assert all(re.fullmatch(r"\w+", asset_name(table), re.ASCII) for table in names.kept)


@given(tables=TABLES, later=TABLES)
def test_what_was_kept_stays_kept_whatever_comes_later(tables: list[str], later: list[str]) -> None:
    kept = claim_names(tables).kept
    assert claim_names([*tables, *later]).kept[: len(kept)] == kept
    assert claim_names([*kept, *later, *tables]).kept[: len(kept)] == kept


def test_a_column_without_a_name_is_refused() -> None:
    dump = TableDump(12, "users", incremental=True, columns=("user_id", ""), files=())
    with pytest.raises(NameClashError, match="dump 12, table users: a column has no name"):
        refuse_unusable_columns(dump, dump.columns)
