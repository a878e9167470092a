"""What `csq_meta` says of dumps and reports."""

from datetime import timedelta, timezone
from typing import Any

import pytest

from csq_assets.warehouse.meta import (
    DumpRow,
    ReportRow,
    record_reports,
    record_unapplied_dumps,
)
from csq_assets.warehouse.staleness import read_applied
from csq_assets.warehouse.table_refresh import drop_table
from csq_assets_tests.warehouse.deliveries import NOW, Platform, content, delivered, refresh

LATER = NOW + timedelta(days=1)
FIRST, SECOND = NOW.replace(tzinfo=None), LATER.replace(tzinfo=None)
ROW = DumpRow(12, "users", incremental=True, files=2, rows=1, status="applied")
USERS = [delivered("user_id plan", (1, plan)) for plan in ("free", "pro")]


def dumps(platform: Platform) -> list[tuple[Any, ...]]:
    """(dump_id, table_name, status, applied_at) of every row."""
    return platform.connection.execute(
        "SELECT dump_id, table_name, status, applied_at FROM csq_meta.dumps ORDER BY ALL"
    ).fetchall()


def test_a_refresh_records_the_dumps_of_its_table(platform: Platform) -> None:
    rows = [
        ROW,
        DumpRow(13, "users", incremental=True, files=0, rows=None, status="failed"),
        DumpRow(14, "users", incremental=False, files=1, rows=3, status="held"),
    ]
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-7)))
    applied = [content(12, USERS[0])]
    refresh(platform.connection, "users", applied, dump_rows=rows, now=elsewhere)
    refresh(platform.connection, "notes", [content(12, delivered("text", ("a",)))])
    assert platform.connection.execute("FROM csq_meta.dumps ORDER BY ALL").fetchall() == [
        (12, "users", True, 2, 1, "applied", FIRST),
        (13, "users", True, 0, None, "failed", None),
        (14, "users", False, 1, 3, "held", None),
    ]


def test_the_time_of_applying_stays_until_the_dump_is_applied_again(platform: Platform) -> None:
    seen = []
    for table, now in ((USERS[0], NOW), (USERS[0], LATER), (USERS[1], LATER)):
        refresh(platform.connection, "users", [content(12, table)], dump_rows=[ROW], now=now)
        seen += dumps(platform)
    assert [applied_at for *_, applied_at in seen] == [FIRST, FIRST, SECOND]


def test_a_dump_that_is_not_applied_any_more_has_no_time(platform: Platform) -> None:
    void = ROW._replace(status="void")
    resync = ROW._replace(dump_id=13, incremental=False)
    refresh(platform.connection, "users", [content(12, USERS[0])], dump_rows=[ROW])
    refresh(platform.connection, "users", [content(13, USERS[0])], dump_rows=[void, resync])
    assert dumps(platform) == [(12, "users", "void", None), (13, "users", "applied", FIRST)]
    refresh(platform.connection, "users", [], dump_rows=[ROW._replace(status="held")])
    assert dumps(platform) == [(12, "users", "held", None)]


def test_rows_are_recorded_though_the_table_is_unchanged(platform: Platform) -> None:
    applied = [content(12, USERS[0])]
    refresh(platform.connection, "users", applied)
    held = DumpRow(13, "users", incremental=True, files=1, rows=1, status="held")
    audit = refresh(platform.connection, "users", applied, dump_rows=[ROW, held], now=LATER)
    assert audit.change == "unchanged"
    assert dumps(platform) == [(12, "users", "applied", SECOND), (13, "users", "held", None)]


def test_a_table_that_is_dropped_takes_its_rows_along(platform: Platform) -> None:
    refresh(platform.connection, "users", [content(12, USERS[0])], dump_rows=[ROW])
    drop_table(platform.connection, "users")
    assert dumps(platform) == []


def test_rows_of_tables_without_a_current_table_are_replaced_together(platform: Platform) -> None:
    refresh(platform.connection, "users", [content(12, USERS[0])], dump_rows=[ROW])
    failed = [ROW._replace(table_name=name, status="failed") for name in ("notes", "Notes")]
    record_unapplied_dumps(platform.connection, failed)
    assert [row[1:3] for row in dumps(platform)] == [
        ("Notes", "failed"),
        ("notes", "failed"),
        ("users", "applied"),
    ]
    record_unapplied_dumps(platform.connection, [failed[0], ROW._replace(status="held")])
    assert [row[1:3] for row in dumps(platform)] == [("notes", "failed"), ("users", "applied")]


def test_what_is_not_recorded_as_it_should_be_is_found(platform: Platform) -> None:
    failed = DumpRow(13, "notes", incremental=True, files=0, rows=None, status="failed")
    assert read_applied(platform.connection).stale_dump_rows([ROW, failed]) == {"users", "notes"}
    refresh(platform.connection, "users", [content(12, USERS[0])], dump_rows=[ROW])
    record_unapplied_dumps(platform.connection, [failed])
    applied = read_applied(platform.connection)
    assert applied.stale_dump_rows([ROW, failed]) == frozenset()
    assert applied.stale_dump_rows([ROW._replace(files=3), failed]) == {"users"}
    assert applied.stale_dump_rows([ROW]) == {"notes"}
    platform.connection.execute("UPDATE csq_meta.dumps SET applied_at = NULL")
    assert read_applied(platform.connection).stale_dump_rows([ROW, failed]) == {"users"}


@pytest.mark.edge(74, 75)
def test_the_reports_are_those_that_are_given(platform: Platform) -> None:
    broken = ReportRow("b.json", None, None, None, None, '{"code": 7}')
    first = ReportRow("a.json", NOW, NOW, "running", None, None)
    last = ReportRow("a.json", NOW, NOW, "succeeded", NOW + timedelta(days=1), None)
    record_reports(platform.connection, [first, broken])
    record_reports(platform.connection, [last, broken])
    assert platform.connection.execute("FROM csq_meta.sync_reports ORDER BY report").fetchall() == [
        ("a.json", FIRST, FIRST, "succeeded", SECOND, None),
        ("b.json", None, None, None, None, '{"code": 7}'),
    ]
    assert read_applied(platform.connection).reports == {last, broken}
    record_reports(platform.connection, [])
    assert platform.connection.execute("FROM csq_meta.sync_reports").fetchall() == []
