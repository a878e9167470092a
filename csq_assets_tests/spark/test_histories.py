"""Spark on a cluster after each pass: every table is what DuckDB has, and a replay from nothing gives.

`make test-spark` executes it; `--hypothesis-profile thorough` tries twenty times as many histories.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from csq_assets.spark.messages import RefreshTable
from csq_assets_tests.pipeline.histories import (
    History,
    HistoryOfFailures,
    HistoryOfMigrations,
    check,
)
from csq_assets_tests.spark.engine import SparkHarness
from csq_assets_tests.warehouse.deliveries import delivered

pytestmark = pytest.mark.slow
MIGRATIONS = "from_user_id to_user_id time"
ODD = 'odd "name"; --'


def test_tables_follow_dumps_and_migrations(harness: SparkHarness) -> None:
    harness.deliver(
        8,
        {
            "users": delivered(
                "user_id joindate plan",
                *((1, "5", "a"), (2, "3", None), (None, None, "c")),
                full_resync=True,
            ),
            "pageviews": delivered(
                "event_id user_id time path",
                *((1, 1, "0", "a"), (1, 2, "1", "b"), (2, 3, "2", "c"), (None, 1, "x", "y")),
                full_resync=True,
            ),
            ODD: delivered(
                ["user_id", "event_id", "a b", '"'], (1, 1, "é\n", "`"), (2, 1, "", None)
            ),
            "user_migrations": delivered(MIGRATIONS, ("1", "2", "0")),
        },
    )
    harness.sync()  # two users are one, and one event of each has lost
    harness.deliver(
        10,
        {
            "users": delivered("user_id joindate plan", (1, "1", "z"), (4, "3", None)),
            "pageviews": delivered(
                "event_id user_id time path new", (1, 1, "0", "A", "n"), (7, 2, "1", "b", None)
            ),
            "user_migrations": delivered(MIGRATIONS, ("1", "3", "0"), ("x", "4", None)),
        },
    )
    harness.sync()  # re-pointed: the event that had lost is back, and a column is added
    harness.deliver(
        9,
        {
            "users": delivered("plan user_id Plan", ("late", 4, "9"), ("b", 5, None)),
            "pageviews": delivered("event_id user_id time path", (7, 2, "late", "x")),
            ODD: delivered(["a b", "user_id", "event_id"], ("moved", 1, 1), (None, 3, None)),
            "user_migrations": delivered("from_user_id to_user_id"),  # of a dump that is not newest
        },
    )
    harness.sync()  # late: each takes its place before dump 10, and columns move
    harness.deliver(
        10,
        {
            "users": delivered("user_id plan", (1, "again")),
            "pageviews": delivered("event_id user_id time", (1, 1, "9"), full_resync=True),
            "user_migrations": delivered("from_user_id to_user_id"),
        },
    )
    harness.sync()  # again, with other content: nobody is merged any more, and columns go
    harness.deliver(
        11,
        {
            "pageviews": delivered(
                "event_id user_id time path", (1, 1, "10", "p"), (8, 2, None, "q")
            )
        },
    )
    harness.sync()  # a column comes back
    harness.rebuild()


def test_a_job_that_is_executed_again_changes_nothing(harness: SparkHarness) -> None:
    harness.deliver(8, {"notes": delivered("text", ("a",), (None,))})
    harness.sync()
    again = harness.refreshed("notes")
    assert again.table
    assert again.table.change == "unchanged"
    answer = harness.launch(RefreshTable("notes", ()))
    assert answer.table
    assert (answer.table.change, answer.state) == ("dropped", None)


def test_histories_of_everything(open_harness: Callable[[Path], SparkHarness]) -> None:
    check(History, percent=1, opened=open_harness)


def test_histories_of_failures(open_harness: Callable[[Path], SparkHarness]) -> None:
    check(HistoryOfFailures, percent=1, opened=open_harness)


def test_histories_of_migrations(open_harness: Callable[[Path], SparkHarness]) -> None:
    check(HistoryOfMigrations, percent=1, opened=open_harness)
