"""What `csq_meta` tells of dumps and reports."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from csq_assets.warehouse.meta import DumpRow, ReportRow, record_dumps, record_reports
from csq_assets_tests.warehouse.deliveries import Platform

MORNING = datetime(2026, 3, 1, 6, 30, 15, 250_000, tzinfo=UTC)


def test_the_dumps_are_those_that_are_given(platform: Platform) -> None:
    record_dumps(
        platform.connection,
        [
            DumpRow(12, "users", incremental=False, files=2, rows=7, status="applied"),
            DumpRow(12, "notes", incremental=True, files=0, rows=None, status="failed"),
            DumpRow(13, "users", incremental=True, files=1, rows=1, status="held"),
        ],
    )
    void = DumpRow(12, "users", incremental=False, files=2, rows=7, status="void")
    record_dumps(platform.connection, [void])
    found = platform.connection.execute("FROM csq_meta.dumps ORDER BY dump_id").fetchall()
    assert found == [(12, "users", False, 2, 7, "void", None)]
    record_dumps(platform.connection, [])
    assert platform.connection.execute("FROM csq_meta.dumps").fetchall() == []


def test_the_time_of_applying_stays_until_it_is_applied_again(platform: Platform) -> None:
    def applied(at: datetime | None) -> DumpRow:
        return DumpRow(
            12, "users", incremental=True, files=1, rows=1, status="applied", applied_at=at
        )

    seen = []
    elsewhere = MORNING.astimezone(timezone(timedelta(hours=-7)))
    for at in (elsewhere, None, MORNING + timedelta(days=1)):
        record_dumps(platform.connection, [applied(at)])
        seen += platform.connection.execute("SELECT applied_at FROM csq_meta.dumps").fetchall()
    naive = MORNING.replace(tzinfo=None)
    assert seen == [(naive,), (naive,), (naive + timedelta(days=1),)]


@pytest.mark.edge(74, 75)
def test_the_reports_are_those_that_are_given(platform: Platform) -> None:
    broken = ReportRow("b.json", None, None, None, None, '{"code": 7}')
    first = ReportRow("a.json", MORNING, MORNING, "running", None, None)
    last = ReportRow("a.json", MORNING, MORNING, "succeeded", MORNING + timedelta(days=1), None)
    record_reports(platform.connection, [first, broken])
    record_reports(platform.connection, [last, broken])
    naive = MORNING.replace(tzinfo=None)
    assert platform.connection.execute("FROM csq_meta.sync_reports ORDER BY report").fetchall() == [
        ("a.json", naive, naive, "succeeded", naive + timedelta(days=1), None),
        ("b.json", None, None, None, None, '{"code": 7}'),
    ]
