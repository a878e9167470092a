"""Schema `csq_typed`: what is delivered as text, with types, and nothing lost on the way."""

from datetime import date, datetime
from typing import Any

from duckdb import DuckDBPyConnection

from csq_assets.warehouse.engine import quote
from csq_assets_tests.warehouse.deliveries import Platform, delivered, relation

AT = datetime.fromisoformat  # a TIMESTAMP names no zone
JOINED, NOON = AT("2024-04-24 23:06:40"), AT("2024-04-25 12:00")


def types(connection: DuckDBPyConnection, table: str) -> dict[str, str]:
    """The columns of the typed view, with the types that DuckDB sees."""
    described = connection.execute(f"DESCRIBE csq_typed.{quote(table)}").fetchall()
    return {name: kind for name, kind, *_ in described}


def decided(connection: DuckDBPyConnection, table: str) -> list[tuple[Any, ...]]:
    """What `csq_meta.column_types` says of the table's columns of text."""
    return connection.execute(
        "SELECT column_name, type, since_dump, reason FROM csq_meta.column_types "
        "WHERE table_name = ? AND reason <> 'an id' ORDER BY ALL",
        [table],
    ).fetchall()


def typed_rows(connection: DuckDBPyConnection, table: str) -> list[tuple[Any, ...]]:
    return connection.execute(f"FROM csq_typed.{quote(table)} ORDER BY ALL").fetchall()


def test_every_column_has_the_narrowest_type_that_loses_nothing(platform: Platform) -> None:
    columns = "user_id yes count ratio price day at code zip huge nothing text"
    day, at, huge = "2024-02-29", "2024-04-25T12:00:00Z", "9007199254740993"
    platform.deliver(
        1,
        notes=delivered(
            columns,
            (1, "true", "0", "1.5", "5.00", day, at, "1e5", "007", huge, None, "a"),
            (
                2,
                "false",
                "-12",
                "1e-05",
                "19.90",
                day,
                "2024-04-25 12:00:00",
                "7",
                "12",
                "1",
                None,
                "",
            ),
            (3, *[None] * 11),
        ),
    ).sync()
    assert types(platform.connection, "notes") == {
        "user_id": "BIGINT",
        "yes": "BOOLEAN",
        "count": "BIGINT",
        "ratio": "DOUBLE",
        "price": "DOUBLE",
        "day": "DATE",
        "at": "TIMESTAMP",
        "code": "VARCHAR",
        "zip": "VARCHAR",
        "huge": "BIGINT",
        "nothing": "VARCHAR",
        "text": "VARCHAR",
        "_raw_user_id": "BIGINT",
        "_dump_id": "BIGINT",
    }
    leap = date(2024, 2, 29)
    assert typed_rows(platform.connection, "notes") == [
        (1, True, 0, 1.5, 5.0, leap, NOON, "1e5", "007", int(huge), None, "a", 1, 1),
        (2, False, -12, 1e-05, 19.9, leap, NOON, "7", "12", 1, None, "", 2, 1),
        (3, *[None] * 11, 3, 1),
    ]
    assert decided(platform.connection, "notes") == [
        ("at", "TIMESTAMP", 1, "every value is a timestamp in UTC"),
        ("code", "VARCHAR", 1, "text"),
        ("count", "BIGINT", 1, "every value is a whole number"),
        ("day", "DATE", 1, "every value is a date"),
        ("huge", "BIGINT", 1, "every value is a whole number"),
        ("nothing", "VARCHAR", 1, "there is no value yet"),
        ("price", "DOUBLE", 1, "every value is a number with two decimals"),
        ("ratio", "DOUBLE", 1, "every value is a number"),
        ("text", "VARCHAR", 1, "text"),
        ("yes", "BOOLEAN", 1, "every value is true or false"),
        ("zip", "VARCHAR", 1, "text"),
    ]


def test_documented_instants_are_timestamps_in_whichever_form_they_come(platform: Platform) -> None:
    platform.deliver(
        1,
        users=delivered(
            "user_id joindate last_modified",
            (1, "1714000000000000", "2024-04-25"),
            (2, "1714000000", "2024-04-25T14:00:00+02:00"),
        ),
        pageviews=delivered("user_id event_id time", (1, 1, "1714000000000"), (1, 2, "soon")),
    ).sync()
    assert types(platform.connection, "users")["joindate"] == "TIMESTAMP"
    assert [row[1:3] for row in typed_rows(platform.connection, "users")] == [
        (JOINED, AT("2024-04-25")),
        (JOINED, NOON),
    ]
    assert decided(platform.connection, "pageviews") == [
        ("time", "VARCHAR", 1, "documented as an instant, but not every value is one")
    ]
    assert [row[2] for row in typed_rows(platform.connection, "pageviews")] == [
        "1714000000000",
        "soon",
    ]


def test_session_time_is_what_it_holds(platform: Platform) -> None:
    """Sources disagree what it is: seconds since the session began, or when it began."""
    columns = "user_id event_id session_time"
    platform.deliver(
        1,
        seconds=delivered(columns, (1, 1, "0"), (1, 2, "35.2")),
        starts=delivered(columns, (1, 1, "1714000000000"), (1, 2, "2024-04-25 12:00:00")),
    ).sync()
    assert types(platform.connection, "seconds")["session_time"] == "DOUBLE"
    assert [row[2] for row in typed_rows(platform.connection, "starts")] == [JOINED, NOON]


def test_an_increment_can_only_widen(platform: Platform) -> None:
    columns = "user_id event_id count"
    platform.deliver(1, clicks=delivered(columns, (1, 1, "1"))).sync()
    platform.deliver(2, clicks=delivered(columns, (1, 1, None))).sync()
    assert decided(platform.connection, "clicks") == [
        ("count", "BIGINT", 1, "every value is a whole number")
    ]
    platform.deliver(3, clicks=delivered(columns, (1, 3, "1.5"))).sync()
    platform.deliver(5, clicks=delivered(columns, (1, 5, "1"))).sync()
    assert decided(platform.connection, "clicks") == [
        ("count", "DOUBLE", 3, "every value is a number")
    ]
    platform.deliver(4, clicks=delivered(columns, (1, 4, "many"))).sync()  # late
    assert decided(platform.connection, "clicks") == [("count", "VARCHAR", 4, "text")]
    # A full resync starts anew.
    platform.deliver(6, clicks=delivered(columns, (1, 6, "7"), full_resync=True)).sync()
    assert decided(platform.connection, "clicks") == [
        ("count", "BIGINT", 6, "every value is a whole number")
    ]
    assert typed_rows(platform.connection, "clicks") == [(1, 6, 7, 1, 6)]


def test_the_views_have_the_columns_and_rows_of_the_tables(platform: Platform) -> None:
    """Also of columns that differ only in case, that no file has, that go, and that come back."""
    odd = 'odd "name"; --'
    platform.deliver(
        1, {odd: delivered(("user_id", "Plan", "plan", "a b", '"'), (1, "1", "x", "2", "3"))}
    ).sync()
    assert types(platform.connection, odd) == {
        "user_id": "BIGINT",
        "Plan": "BIGINT",
        "plan_2": "VARCHAR",
        "a b": "BIGINT",
        '"': "BIGINT",
        "_raw_user_id": "BIGINT",
        "_dump_id": "BIGINT",
    }
    platform.deliver(2, {odd: delivered(("plan", "user_id"), ("y", 1))}).sync()
    platform.deliver(3, {odd: delivered(("user_id", "Plan", "plan"), (2, "4", None))}).sync()
    typed = relation(platform.connection, odd, "csq_typed")
    assert typed.columns == relation(platform.connection, odd).columns
    assert typed_rows(platform.connection, odd) == [
        (1, 1, "x", 1, 1),
        (1, None, "y", 1, 2),
        (2, 4, None, 2, 3),
    ]


def test_a_table_that_goes_takes_its_types_along(platform: Platform) -> None:
    platform.deliver(1, notes=delivered("user_id text", (1, "a"))).sync()
    platform.deliver(1).sync()
    left = platform.connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE schema_name = 'csq_typed' AND NOT internal"
    ).fetchall()
    assert left == [("all_events",)]
    assert platform.connection.execute("FROM csq_meta.column_types").fetchall() == []
    assert platform.connection.execute("FROM csq_ledger.facts").fetchall() == []


def test_all_events_says_when_in_its_session_each_happened(platform: Platform) -> None:
    sessions = delivered("user_id session_id time", (1, 5, "2024-04-25 11:59:00"))
    columns = "user_id event_id session_id time"
    platform.deliver(
        1,
        pageviews=delivered(columns, (1, 1, 5, "2024-04-25T12:00:00Z"), (1, 2, 6, "1714000000")),
        clicks=delivered(columns, (1, 1, None, "soon")),
    ).sync()
    without = [
        (1, 1, 5, NOON, "pageviews", 1, None),
        (1, 1, None, None, "clicks", 1, None),
        (1, 2, 6, JOINED, "pageviews", 1, None),
    ]
    assert typed_rows(platform.connection, "all_events") == without
    platform.deliver(2, sessions=sessions).sync()
    assert typed_rows(platform.connection, "all_events") == [
        (1, 1, 5, NOON, "pageviews", 1, 60.0),
        *without[1:],
    ]
    platform.deliver(3, sessions=delivered("user_id session_id", (1, 5), full_resync=True)).sync()
    assert typed_rows(platform.connection, "all_events") == without


def test_users_say_when_they_were_first_and_last_seen(platform: Platform) -> None:
    platform.deliver(
        1,
        users=delivered("user_id joindate", (1, "1714000000"), (2, "1714000000"), (3, None)),
        sessions=delivered(
            "user_id session_id time", (1, 1, "2024-04-25 12:00:00"), (1, 2, "2024-04-26 12:00:00")
        ),
    ).sync()
    columns = ["user_id", "joindate", "_dump_id", "date_first_seen", "date_last_seen"]
    assert list(types(platform.connection, "users")) == columns
    assert typed_rows(platform.connection, "users") == [
        (1, JOINED, 1, NOON, AT("2024-04-26 12:00")),
        (2, JOINED, 1, JOINED, None),
        (3, None, 1, None, None),
    ]
