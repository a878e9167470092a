"""Two workers do the work; one that is killed midway changes nothing, and neither does maintenance."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from csq_assets.spark.messages import Maintain
from csq_assets_tests.spark.cluster import Cluster
from csq_assets_tests.spark.commands import descendants
from csq_assets_tests.spark.engine import SparkHarness
from csq_assets_tests.spark.event_log import EventLog
from csq_assets_tests.warehouse.deliveries import delivered

pytestmark = pytest.mark.slow
COLUMNS = "event_id user_id path"
MANY = [(n, n % 7, str(n)) for n in range(40)]


def test_executors_are_killed_midway(
    harness: SparkHarness, running: Cluster, event_log: EventLog
) -> None:
    harness.deliver(8, {"pageviews": delivered(COLUMNS, *MANY, full_resync=True)})
    harness.sync()
    did = {told["Task Info"]["Executor ID"] for told in event_log.told("TaskEnd")}
    assert did >= {"0", "1"}  # an executor on each worker
    harness.deliver(
        9,
        {
            "pageviews": delivered(COLUMNS, (1, 1, "new"), (50, 2, "50")),
            "user_migrations": delivered("from_user_id to_user_id", ("1", "2"), ("3", "4")),
        },
    )
    lost = len(event_log.told("ExecutorRemoved"))
    with executors_killed(running, event_log, after_jobs=(3, 9, 15)) as killed:
        harness.sync()  # compares every row
    assert len(killed) == 3
    assert len(event_log.told("ExecutorRemoved")) == lost + 3
    failed = [told for told in event_log.told("TaskEnd") if told["Task Info"]["Failed"]]
    assert failed


def test_an_increment_in_which_nobody_moves_merges_by_ids_alone(
    harness: SparkHarness, event_log: EventLog
) -> None:
    harness.session.query(harness.place, "SET spark.sql.maxPlanStringLength = 100000")
    try:
        harness.deliver(8, {"pageviews": delivered(COLUMNS, *MANY, full_resync=True)})
        harness.sync()
        before = len(event_log.told("SQLExecutionStart"))
        harness.deliver(9, {"pageviews": delivered(COLUMNS, (1, 1, "new"), (50, 2, "50"))})
        harness.sync()
    finally:
        harness.session.query(harness.place, "RESET spark.sql.maxPlanStringLength")
    started = event_log.told("SQLExecutionStart")[before:]
    plans = [told["physicalPlanDescription"] for told in started]
    merges = [plan for plan in plans if "MergeRows" in plan]
    read = [found for plan in merges for found in re.findall(r"pageviews\[([^\]]*)\]", plan)]
    assert read
    assert [columns for columns in read if "path#" in columns or "user_id#" not in columns] == []


def test_maintenance_changes_no_row_and_the_state_is_known(harness: SparkHarness) -> None:
    harness.deliver(
        8,
        {
            "users": delivered("user_id plan", *((n, "a") for n in range(9)), full_resync=True),
            "pageviews": delivered(COLUMNS, *MANY, full_resync=True),
            "user_migrations": delivered("from_user_id to_user_id", ("1", "2")),
        },
    )
    harness.sync()
    for dump_id in range(9, 13):  # compaction takes files from five on
        rows = [(n, n % 7, str(dump_id)) for n in range(dump_id, dump_id + 20)]
        harness.deliver(dump_id, {"pageviews": delivered(COLUMNS, *rows)})
        harness.sync()
    before = files(harness, "pageviews")
    harness.launch(Maintain(("users", "pageviews"), keep_days=0))
    harness.check()
    after = files(harness, "pageviews")
    assert after["data"] == 2 < before["data"]  # one for each bucket
    assert after["deletes"] == 0 < before["deletes"]
    assert after["snapshots"] < before["snapshots"]
    for table in ("users", "pageviews"):
        again = harness.refreshed(table)
        assert again.table
        assert again.table.change == "unchanged"
    harness.deliver(
        13,
        {
            "users": delivered("user_id plan", (1, "b")),
            "user_migrations": delivered("from_user_id to_user_id", ("1", "3")),
        },
    )
    harness.sync()  # the snapshot of the map that the tables follow is gone


def files(harness: SparkHarness, table: str) -> dict[str, int]:
    """How many snapshots there are, and how many files of each kind the newest has."""
    name = f"{harness.place.catalog}.csq.{table}"
    kinds = {"snapshots": "snapshots", "data": "data_files", "deletes": "delete_files"}
    return {
        kind: harness.session.query(harness.place, f"SELECT count(*) FROM {name}.{relation}")[1][0][
            0
        ]
        for kind, relation in kinds.items()
    }


@contextmanager
def executors_killed(
    running: Cluster, log: EventLog, *, after_jobs: tuple[int, ...]
) -> Iterator[list[int]]:
    """Kill an executor, of either worker in turn, each time that so many of Spark's jobs have started
    since the block began. Gives those that were killed."""
    before, ended = len(log.told("JobStart")), Event()
    killed: list[int] = []

    def kill() -> None:
        while len(killed) < len(after_jobs) and not ended.wait(0.02):
            if len(log.told("JobStart")) - before >= after_jobs[len(killed)]:
                worker = running.workers[len(killed) % len(running.workers)]
                pids = descendants(worker.pid, log.application)
                if pids:
                    os.kill(pids[0], signal.SIGKILL)
                    killed.append(pids[0])

    killer = Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        ended.set()
        killer.join()
