"""Dagster's daemon in DAGSTER_HOME, from its start until the current tables are up to date.

What the export holds is looked up before: a code location gives assets to the tables that it finds
when it is loaded. Reported as rows is the number of runs.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
import psutil

from csq_assets.aws import s3_client
from csq_assets.defs.keys import Keys
from csq_assets.lake.discovery import discover
from csq_assets.lake.locations import open_export, open_lake
from csq_assets.settings import Settings

_POLL_SECONDS, _END_SECONDS, _MOST_SECONDS = 1, 60, 3_600
_FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_LOG = Path("daemon.log")
_DAEMON = (
    *(Path(sys.executable).with_name("dagster-daemon"), "run"),
    *("--module-name", "csq_assets.definitions"),
)


@contextmanager
def running_daemon() -> Iterator[psutil.Process]:
    """The daemon, which with its code server and its runs is gone in the end."""
    with _LOG.open("wb") as log:
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
    give_up_at = time.monotonic() + _MOST_SECONDS
    while daemon.status() != psutil.STATUS_ZOMBIE and time.monotonic() < give_up_at:
        time.sleep(_POLL_SECONDS)
        runs = instance.get_runs()
        if failed := [run for run in runs if run.status in _FAILED]:
            sys.exit(f"run {failed[0].run_id} of {failed[0].job_name}: {failed[0].status.value}")
        if any(run.job_name == Keys().current_job and run.is_success for run in runs):
            return len(runs)
    sys.exit(f"the current tables were not refreshed:\n{_LOG.read_text()[-2_000:]}")


def cpu_seconds(daemon: psutil.Process) -> float:
    """Of all its processes, those that have ended included."""
    seconds = 0.0
    for process in (daemon, *daemon.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            seconds += sum(process.cpu_times()[:4])
    return seconds


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
