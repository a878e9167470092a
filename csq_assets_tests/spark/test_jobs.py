"""`csq` with jobs that `spark-submit` brings to the cluster, of which some are killed."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from csq_assets.spark.messages import Place
from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.platform import SCRIPTS
from csq_assets_tests.spark.catalog_tables import CatalogTable
from csq_assets_tests.spark.cluster import Cluster
from csq_assets_tests.spark.commands import csq, descendants
from csq_assets_tests.spark.s3 import BUCKET, CATALOG
from csq_assets_tests.spark.session import Session

pytestmark = pytest.mark.slow
_TIMEOUT_SECONDS = 900
_SAID = "said.json"


def test_a_driver_is_killed_before_and_after_its_commit(
    running: Cluster, session: Session, directory_export: ExportBuilder, home: Path
) -> None:
    environment = {
        **os.environ,
        **running.environment,
        "CSQ_ENGINE": "spark",
        "CSQ_EXPORT_URL": directory_export.url,
        "CSQ_LAKE_URL": f"s3://{BUCKET}/{uuid4().hex}",
        "CSQ_SPARK_BUCKETS": "2",
        "CSQ_SPARK_CATALOG": CATALOG,
        "CSQ_SPARK_SUBMIT": running.submit_with(
            {**running.s3.catalog_conf, "spark.cores.max": "1"}
        ),
        "DAGSTER_HOME": str(home),
    }
    table = CatalogTable(running.s3, "csq.sessions")

    def rows() -> list[tuple[Any, ...]]:
        """What people see now."""
        select = f"SELECT session_id, path, _dump_id FROM {CATALOG}.csq.sessions ORDER BY 1"
        return session.query(Place(CATALOG, ""), select)[1]

    directory_export.report("2026-03-01")
    directory_export.deliver(
        8,
        # The server refuses a table that is partitioned by its first column.
        sessions=[{"session_id": n, "user_id": n, "path": "old"} for n in range(3)],
        full_resync=True,
    )
    csq(home, environment, "sync")
    old = [(n, "old", 8) for n in range(3)]
    assert rows() == old
    directory_export.deliver(9, sessions=[{"session_id": 1, "user_id": 1, "path": "new"}])
    new = [(0, "old", 8), (1, "new", 9), (2, "old", 8)]
    first = table.heads()

    def is_on_its_branch() -> bool:
        return set(table.heads().values()) != {first["main"]}

    told = sync_with_killed_driver(home, environment, is_on_its_branch)
    assert [error for error in told["errors"] if "the job on Spark failed" in error]
    assert table.heads()["main"] == first["main"]
    assert rows() == old

    told = sync_with_killed_driver(
        home, environment, lambda: table.heads()["main"] != first["main"]
    )
    assert [error for error in told["errors"] if "the job on Spark failed" in error]
    second = table.heads()["main"]
    assert (rows(), table.applied()) == (new, [8, 9])

    csq(home, environment, "sync")
    assert (table.heads()["main"], rows()) == (second, new)  # applied once

    csq(home, environment, "rebuild", "sessions")
    assert table.heads()["main"] != second
    assert (rows(), table.applied()) == (new, [8, 9])

    directory_export.deliver(10, sessions=[{"session_id": 2, "user_id": 2, "path": "newest"}])
    newest, before = [*new[:2], (2, "newest", 10)], table.heads()
    with left_by_a_killed_sync(home, environment, lambda: table.heads() != before):
        csq(home, environment, "sync")
        third = table.heads()["main"]
        assert (rows(), table.applied()) == (newest, [8, 9, 10])
    assert (table.heads()["main"], rows()) == (third, newest)


@contextmanager
def left_by_a_killed_sync(
    home: Path, environment: Mapping[str, str], is_time: Callable[[], bool]
) -> Iterator[None]:
    """Kill `csq sync`, and not its job, when it is time to. The job stands still meanwhile, and comes
    to its end afterwards."""
    with started(home, environment, is_time) as (process, driver):
        os.kill(driver, signal.SIGSTOP)
        process.kill()
    left = psutil.Process(driver)
    try:
        yield
    finally:
        left.resume()
        psutil.wait_procs([left], timeout=_TIMEOUT_SECONDS)


def sync_with_killed_driver(
    home: Path, environment: Mapping[str, str], is_time: Callable[[], bool]
) -> Any:
    """What `csq sync` says of a pass of which the driver of a job is killed when it is time to."""
    with started(home, environment, is_time) as (process, driver):
        os.kill(driver, signal.SIGKILL)
        assert process.wait(timeout=_TIMEOUT_SECONDS) == 1
    return json.loads((home / _SAID).read_text())


@contextmanager
def started(
    home: Path, environment: Mapping[str, str], is_time: Callable[[], bool]
) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """`csq sync` when it is time, and the process of the driver of its job."""
    command = [SCRIPTS / "csq", "sync", "--json"]
    with (
        (home / _SAID).open("wb") as said,
        subprocess.Popen(command, cwd=home, env=environment, stdout=said) as process,
    ):
        give_up_at = time.monotonic() + _TIMEOUT_SECONDS
        while not is_time():
            assert process.poll() is None, "it ended before"
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        (driver,) = descendants(process.pid, "org.apache.spark.deploy.SparkSubmit")
        yield process, driver
