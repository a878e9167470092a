"""What the report says of a state, as values."""

from dataclasses import replace
from datetime import timedelta

import pytest

from csq_assets.dataconnect.check_registry import Severity
from csq_assets.dataconnect.checks import REGISTRY
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.sync_report import SyncReport
from csq_assets.report.build import DUMPS_SHOWN, TABLES_SHOWN
from csq_assets.report.content import (
    Concern,
    Dump,
    Excerpt,
    Remark,
    Report,
    Sync,
    TableDump,
    TableHistory,
)
from csq_assets.status import TableStatus
from csq_assets_tests.report.states import (
    NOW,
    TRIED,
    day,
    decoded,
    drift,
    failed,
    pending,
    report_on,
    state_of,
)

WARN, ERROR = Severity.WARN, Severity.ERROR
ADDED, REMOVED = drift(WARN, 'dump 2 adds "plan"'), drift(ERROR, "removes")
WAIT = (
    'the newest sync report, 2.json, says "failed": manifests written after 2026-03-01 05:00 UTC, '
    "when the last successful sync finished, wait for the next sync that succeeds"
)


def failing(check: str, severity: Severity, text: str, dump_id: int | None = None) -> Remark:
    return Remark(severity, check, text, REGISTRY[check].remedy, dump_id)


def test_a_report_says_what_the_lake_remembers() -> None:
    state = state_of(
        [
            [decoded("users", 10, full_resync=True), decoded("clicks", 4)],
            [decoded("users", 3, findings=[ADDED]), failed("clicks", "truncated. Redeliver it.")],
            [decoded("clicks", 5, findings=[REMOVED]), decoded("user_migrations", 7)],
            [pending("users")],
        ],
        [
            SyncReport(day(1, 4), day(1, 5), "succeeded", day(2)),
            SyncReport(None, day(9), "failed", day(11), "no space"),
        ],
    )
    clicks = [
        TableDump(1, "clicks", day(1), incremental=True, rows=4, status="applied"),
        TableDump(2, "clicks", day(2), incremental=True, rows=0, status="failed"),
        TableDump(3, "clicks", day(3), incremental=True, rows=5, status="held", drift=REMOVED),
    ]
    users = [
        TableDump(1, "users", day(1), incremental=False, rows=10, status="applied"),
        TableDump(2, "users", day(2), incremental=True, rows=3, status="applied", drift=ADDED),
        TableDump(4, "users", day(4), incremental=True, rows=0, status="pending"),
    ]
    migrations = TableDump(3, "user_migrations", day(3), incremental=True, rows=7, status="applied")
    assert report_on(state) == Report(
        made_at=NOW,
        export_url="s3://acme",
        lake_url="s3://lake",
        ui_url="http://dagster:3000",
        dumps_known=4,
        dumps_pending=1,
        waiting=(),
        wait_reason=WAIT,
        rows=24,
        users_merged=6,
        errors=2,
        warnings=1,
        next_sync=day(11),
        concerns=Excerpt(
            (
                Concern(
                    "clicks",
                    (
                        Remark(ERROR, "failed", "truncated. Redeliver it.", "", 2, TRIED),
                        failing("column_drift", ERROR, "removes", 3),
                        failing("no_gap", ERROR, "dump 3 is held behind dump 2, which failed"),
                    ),
                ),
                Concern(
                    "csq/sync_reports",
                    (failing("sync_succeeded", ERROR, '2.json says "failed": no space'),),
                ),
                Concern(
                    "users",
                    (
                        failing("column_drift", WARN, 'dump 2 adds "plan"', 2),
                        failing("complete", WARN, "dump 4 is not decoded yet"),
                    ),
                ),
            )
        ),
        syncs=Excerpt(
            (
                Sync(
                    "1.json",
                    "succeeded",
                    succeeded=True,
                    at=day(1, 5),
                    duration=timedelta(hours=1),
                    error=None,
                ),
                Sync(
                    "2.json", "failed", succeeded=False, at=day(9), duration=None, error="no space"
                ),
            )
        ),
        dumps=Excerpt(
            (
                Dump(1, day(1), rows_of_increments=4, rows_of_full_resyncs=10),
                Dump(2, day(2), rows_of_increments=3, tables_failed=1, tables_widened=1),
                Dump(3, day(3), rows_of_increments=12, tables_broken=1),
                Dump(4, day(4)),
            )
        ),
        tables=Excerpt(
            (
                TableHistory(TableStatus("clicks", 0, 1, 1, 1, 0, 3, 4, 4), tuple(clicks)),
                TableHistory(TableStatus("users", 1, 2, 0, 0, 0, 2, 13, 13), tuple(users)),
                TableHistory(TableStatus("user_migrations", 0, 1, 0, 0, 0, 3, 7, 7), (migrations,)),
            )
        ),
        drifts=Excerpt((clicks[2], users[1])),
        migrations=(migrations,),
    )


@pytest.mark.parametrize(
    ("state", "level", "headline"),
    [
        (state_of([]), "empty", "No dump was seen yet."),
        (state_of([[decoded("users", 1)]]), "fine", "Everything is fine."),
        (
            state_of([[], [decoded("users", 1, findings=[ADDED])]]),
            "warning",
            "Nothing failed. 1 warning.",
        ),
        (
            state_of([[], [failed("users", "no file")]]),
            "error",
            "1 problem needs action.",
        ),
        (
            state_of([[failed("a", ""), failed("b", ""), decoded("c", 1, findings=[ADDED])]]),
            "error",
            "2 problems need action, and 1 warning.",
        ),
        (
            state_of([[decoded("a", 1)], [pending("a")]]),
            "warning",
            "Nothing failed. 1 warning.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_sentence_says_whether_all_is_fine(
    state: PipelineState, level: str, headline: str
) -> None:
    report = report_on(state)
    assert (report.level, report.headline) == (level, headline)


def test_of_long_histories_the_newest_dumps_and_the_largest_tables_are_shown() -> None:
    tables = [decoded(f"t{number}", number) for number in range(TABLES_SHOWN + 3)]
    report = report_on(state_of([tables] * (DUMPS_SHOWN + 2)))
    assert [dump.dump_id for dump in report.dumps.shown] == [*range(3, DUMPS_SHOWN + 3)]
    shown = [table.status.table for table in report.tables.shown]
    assert shown == [f"t{number}" for number in range(TABLES_SHOWN + 2, 2, -1)]
    assert {len(table.dumps) for table in report.tables.shown} == {DUMPS_SHOWN}
    assert (report.dumps.left_out, report.tables.left_out) == (2, 3)


def test_a_table_that_is_not_complete_comes_before_larger_ones() -> None:
    state = state_of([[decoded("large", 9), decoded("small", 1)], [failed("small", "no file")]])
    assert [one.status.table for one in report_on(state).tables.shown] == ["small", "large"]


def test_tables_that_are_skipped_are_left_out() -> None:
    state = state_of([[decoded("users", 1), decoded("clicks", 2)]])
    report = report_on(replace(state, skips=lambda table: table == "clicks"))
    assert (report.rows, report.dumps.shown) == (1, (Dump(1, day(1), rows_of_increments=1),))
