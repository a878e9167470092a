"""Types as `csq sync` leaves them: chosen ones, what is told of them, and the vendor's own queries."""

from dataclasses import replace
from datetime import datetime

import duckdb
import pytest

from csq_assets.warehouse.connection import open_warehouse
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.platform import Platform

AT = datetime.fromisoformat


def choose(platform: Platform, text: str) -> Platform:
    """The platform with a file of chosen types."""
    path = platform.folder / "types.toml"
    path.write_text(text, encoding="utf-8")
    return replace(platform, settings=replace(platform.settings, types_path=path))


def deliver(platform: Platform, dump_id: int, *prices: str) -> None:
    rows = [
        {"user_id": 1, "event_id": 10 * dump_id + place, "price": price}
        for place, price in enumerate(prices)
    ]
    platform.deliver(dump_id, purchase=rows)


def prices(platform: Platform) -> list[object]:
    rows = platform.rows("purchase", "csq_typed")
    return [row["price"] for row in sorted(rows, key=lambda row: row["event_id"])]


def test_a_chosen_type_counts_from_the_next_sync_on(platform: Platform) -> None:
    deliver(platform, 12, "5", "19.90", "free")
    assert [one.check for one in platform.sync().checks if not one.passed] == []
    assert prices(platform) == ["5", "19.90", "free"]

    platform = choose(platform, '[purchase]\nprice = "DOUBLE"\nplan = "DATE"\n')
    found = [one for one in platform.sync().checks if not one.passed]
    assert prices(platform) == [5.0, 19.9, None]
    assert [(one.asset, one.check, one.severity, one.description) for one in found] == [
        (
            "csq/current/purchase",
            "type_widened",
            "WARN",
            '1 value of "price" is no DOUBLE; CSQ_TYPES names "plan", which the table does not have',
        )
    ]
    assert not platform.sync().checks  # nothing is left to do
    choose(platform, "")
    platform.sync()
    assert prices(platform) == ["5", "19.90", "free"]


def test_a_widening_is_told_once_by_the_dump_that_brings_it(platform: Platform) -> None:
    deliver(platform, 12, "5", "7")
    deliver(platform, 14, "6")
    platform.sync()
    deliver(platform, 13, "1.5")  # late
    found = [one for one in platform.sync().checks if not one.passed]
    assert [(one.check, one.description) for one in found] == [
        ("type_widened", 'dump 13 makes "price" DOUBLE, it was BIGINT')
    ]
    standing = platform.sync().standing
    assert [one.check for one in standing] == ["type_widened"]
    platform.rebuild("purchase")
    assert [one.check for one in platform.sync().standing] == ["type_widened"]
    deliver(platform, 15, "many")
    found = [one for one in platform.sync().checks if not one.passed]
    assert [one.description for one in found] == ['dump 15 makes "price" VARCHAR, it was DOUBLE']
    deliver(platform, 16, "8")
    platform.sync()
    assert platform.sync().standing == ()


def test_an_increment_without_rows_changes_no_type(platform: Platform) -> None:
    row = {"user_id": 1, "event_id": 2, "time": "1714000000", "price": "5"}
    platform.deliver(12, purchase=[row])
    platform.sync()
    columns = {"purchase": list(row)}
    platform.deliver(13, purchase=[], columns=columns)
    platform.deliver(14, purchase=[AvroFile()], columns=columns)
    assert [one.check for one in platform.sync().checks if not one.passed] == []
    assert platform.rows("purchase", "csq_typed") == [
        {**row, "time": AT("2024-04-24T23:06:40"), "price": 5, "_raw_user_id": 1, "_dump_id": 12}
    ]


def test_a_table_without_rows_keeps_its_instants_and_warns_of_nothing(platform: Platform) -> None:
    row = {"user_id": 1, "event_id": 2, "time": "1714000000", "price": "5"}
    platform.deliver(12, purchase=[row])
    platform.sync()
    columns = {"purchase": list(row)}
    platform.deliver(13, purchase=[], columns=columns, full_resync=True)
    assert [one.check for one in platform.sync().checks if not one.passed] == []
    with open_warehouse(platform.settings.duckdb_path, read_only=True) as connection:
        types = connection.execute(
            "SELECT column_name, type FROM csq_meta.column_types "
            "WHERE column_name IN ('time', 'price') ORDER BY ALL"
        ).fetchall()
        days = (
            "SELECT date_trunc('day', time) AS day, count(*) FROM csq_typed.purchase GROUP BY day"
        )
        assert connection.execute(days).fetchall() == []
    assert types == [("price", "VARCHAR"), ("time", "TIMESTAMP")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[users]\nplan = "TEXT"',
            'line 2: \'TEXT\' of column "plan" of table "users" is not a type',
        ),
        ('[users]\n\n[nobody]\nplan = "DATE"', 'line 3: there is no table "nobody"'),
        ("[users\n", "line 1: it is not TOML"),
    ],
)
def test_a_wrong_file_of_types_is_exit_code_2(platform: Platform, text: str, message: str) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    path = platform.folder / "types.toml"
    path.write_text(text, encoding="utf-8")
    ran = platform.csq("sync", CSQ_TYPES=str(path))
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"csq: setting CSQ_TYPES, file {path}, {message}")
    assert "Traceback" not in ran.stderr
    ran = platform.csq("sync", CSQ_TYPES="nowhere.toml")
    assert (ran.code, "nowhere.toml cannot be read" in ran.stderr) == (2, True)


def test_a_file_of_an_earlier_version_gets_its_types_by_the_next_sync(platform: Platform) -> None:
    """Without a new dump, and without a replay."""
    deliver(platform, 12, "5")
    deliver(platform, 13, "7", "8")
    platform.sync()
    with open_warehouse(platform.settings.duckdb_path) as connection:
        for schema, kind, name in connection.execute(
            "SELECT schema_name, 'VIEW', view_name FROM duckdb_views() WHERE schema_name = 'csq_typed' "
            "OR view_name = 'session_starts' UNION ALL "
            "SELECT schema_name, 'TABLE', table_name FROM duckdb_tables() WHERE table_name IN "
            "('column_types', 'facts', 'typed', 'pins', 'widened')"
        ).fetchall():
            connection.execute(f'DROP {kind} {schema}."{name}"')
        connection.execute("DROP SCHEMA csq_typed")
    before = _applied(platform)
    checks = platform.sync().checks
    assert [one.check for one in checks if not one.passed] == []
    assert prices(platform) == [5, 7, 8]
    assert _applied(platform) == before
    assert not platform.sync().checks


def _applied(platform: Platform) -> list[tuple[object, ...]]:
    with duckdb.connect(str(platform.settings.duckdb_path), read_only=True) as connection:
        return connection.execute("FROM csq_meta.dumps ORDER BY ALL").fetchall()


# From docs.contentsquare.com, Data Connect, "Common Queries" and "Data Schema"; `main_production` is
# the schema. DuckDB has the names of units in quotes.
VENDOR_QUERIES = {
    "event counts": """
        SELECT device_type, plan, COUNT(session_id) FROM main_production.sessions AS sessions
        INNER JOIN main_production.users AS users ON sessions.user_id = users.user_id GROUP BY 1, 2
    """,
    "average property value": """
        SELECT session_id, AVG(price) FROM main_production.purchase GROUP BY 1 ORDER BY 1
    """,
    "top events": """
        SELECT event_table_name, COUNT(*) FROM main_production.all_events
        WHERE time >= TIMESTAMP '2024-01-01' GROUP BY 1 ORDER BY 2 DESC LIMIT 10
    """,
    "first action": """
        SELECT u.user_id, u.joindate, e.event_table_name, e.session_time
        FROM main_production.users u JOIN main_production.all_events e ON u.user_id = e.user_id
        WHERE e.session_time <= 30 ORDER BY u.joindate DESC
    """,
    "weekly sessions": """
        SELECT DATE_TRUNC('week', time), COUNT(DISTINCT session_id)
        FROM main_production.sessions GROUP BY 1
    """,
    "time to purchase": """
        SELECT AVG(DATEDIFF('second', s.time, p.time)) FROM main_production.sessions s
        JOIN main_production.purchase p ON p.user_id = s.user_id AND p.session_id = s.session_id
    """,
    "enhanced users": """
        SELECT u.user_id, s.time AS date_first_seen, s.referrer AS initial_referrer
        FROM main_production.users u
        JOIN (SELECT user_id, MIN(time) AS earliest_time FROM main_production.sessions GROUP BY 1) fs
        ON u.user_id = fs.user_id
        JOIN main_production.sessions s ON fs.user_id = s.user_id AND s.time = fs.earliest_time
    """,
}


def test_the_queries_of_the_vendor_run(platform: Platform) -> None:
    platform.deliver(
        12,
        users=[{"user_id": 1, "joindate": 1714000000000000, "plan": "pro"}],
        sessions=[
            {
                "user_id": 1,
                "session_id": 5,
                "time": "2024-04-25 12:00:00",
                "device_type": "Desktop",
                "referrer": "https://example.com",
            }
        ],
        purchase=[
            {"user_id": 1, "event_id": 7, "session_id": 5, "time": 1714046420000, "price": "19.90"},
            {"user_id": 1, "event_id": 8, "session_id": 5, "time": 1714046440000, "price": "5.10"},
        ],
    )
    platform.sync()
    with duckdb.connect(str(platform.settings.duckdb_path), read_only=True) as connection:
        answers = {
            name: connection.execute(query.replace("main_production", "csq_typed")).fetchall()
            for name, query in VENDOR_QUERIES.items()
        }
    noon = AT("2024-04-25 12:00:00")
    assert answers == {
        "event counts": [("Desktop", "pro", 1)],
        "average property value": [(5, 12.5)],
        "top events": [("purchase", 2)],
        "first action": [(1, AT("2024-04-24 23:06:40"), "purchase", 20.0)],
        "weekly sessions": [(AT("2024-04-22"), 1)],
        "time to purchase": [(30.0,)],
        "enhanced users": [(1, noon, "https://example.com")],
    }
