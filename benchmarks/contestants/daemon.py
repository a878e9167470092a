"""Dagster's daemon in DAGSTER_HOME, from its start until the current tables are up to date.

What the export holds is looked up before: a code location gives assets to the tables that it finds
when it is loaded. Reported as rows is the number of runs.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import psutil

from csq_assets.aws import s3_client
from csq_assets.defs.current_assets import CURRENT_JOB
from csq_assets.lake.discovery import discover
from csq_assets.lake.locations import open_export, open_lake
from csq_assets.settings import Settings

_POLL_SECONDS, _END_SECONDS = 1, 60
_DAEMON = (
    *(Path(sys.executable).with_name("dagster-daemon"), "run"),
    *("--module-name", "csq_assets.definitions"),
)


@contextmanager
def running_daemon() -> Iterator[psutil.Process]:
    """The daemon, which with its code server and its runs is gone in the end."""
    with Path("daemon.log").open("wb") as log:
        daemon = psutil.Popen(_DAEMON, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield daemon
        finally:
            all_of_it = [daemon, *daemon.children(recursive=True)]
            daemon.terminate()
            _, left = psutil.wait_procs(all_of_it, timeout=_END_SECONDS)
            for process in left:
                process.kill()


def wait_for_refresh(instance: dg.DagsterInstance, daemon: psutil.Process) -> int:
    """The sensor asks for a refresh when no dump is left to decode; gives the number of runs."""
    while daemon.is_running():
        time.sleep(_POLL_SECONDS)
        runs = instance.get_runs()
        if failed := [run for run in runs if run.status == dg.DagsterRunStatus.FAILURE]:
            sys.exit(f"run {failed[0].run_id} of {failed[0].job_name} failed")
        if any(run.job_name == CURRENT_JOB and run.is_success for run in runs):
            return len(runs)
    sys.exit("the daemon has ended")


def cpu_seconds(daemon: psutil.Process) -> float:
    """Of all its processes, those that have ended included."""
    return sum(sum(one.cpu_times()[:4]) for one in (daemon, *daemon.children(recursive=True)))


settings = Settings.from_environment()
discover(
    open_export(settings.export_url, settings.manifest_prefix, s3_client),
    open_lake(settings.lake_url, s3_client).documents,
)
with dg.DagsterInstance.get() as opened:
    started = time.perf_counter()
    with running_daemon() as running:
        runs = wait_for_refresh(opened, running)
        took = {"wall": time.perf_counter() - started, "cpu": cpu_seconds(running)}
print(json.dumps({"rows": runs, **took}))
