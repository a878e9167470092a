"""`dagster-daemon` itself, several of it on one platform: each has a code server, and launches runs."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import dagster as dg
from dagster._core.scheduler.instigation import TickStatus

from csq_assets.defs.run_requests import UNFINISHED
from csq_assets_tests.platform import KEYS, REPOSITORY, SCRIPTS, open_instance
from csq_assets_tests.torture.scenarios import Place

_COMMAND = (SCRIPTS / "dagster-daemon", "run", "--module-name", "csq_assets.definitions")
_MOST_SECONDS, _END_SECONDS, _POLL_SECONDS = 400, 60, 1


def work_together(place: Place, number: int) -> Iterator[str]:
    """Let so many daemons take in what is due; gives what is not as it should. They are gone then."""
    snapshot = Path(place.environment["CSQ_DUCKDB_SNAPSHOT_PATH"])
    before = snapshot.stat().st_mtime_ns
    give_up_at = time.monotonic() + _MOST_SECONDS
    with ExitStack() as stack, open_instance(place.home) as instance:
        for each in range(number):
            stack.enter_context(_running(place, place.folder / f"daemon{each}.log"))
        while snapshot.stat().st_mtime_ns == before or _is_at_work(instance):
            if time.monotonic() > give_up_at:
                yield f"the snapshot was not replaced within {_MOST_SECONDS} s"
                break
            time.sleep(_POLL_SECONDS)
        for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])):
            yield f"run {run.run_id} of {run.job_name} failed"
        for sensor in instance.all_instigator_state():
            for tick in instance.get_ticks(
                sensor.instigator_origin_id, sensor.selector_id, statuses=[TickStatus.FAILURE]
            ):
                yield f"a tick failed: {tick.error}"


def _is_at_work(instance: dg.DagsterInstance) -> bool:
    jobs = (KEYS.raw_job, KEYS.current_job)
    return any(
        instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=UNFINISHED)) for job in jobs
    )


@contextmanager
def _running(place: Place, log: Path) -> Iterator[None]:
    """A daemon in a process group of its own, which is ended afterwards, and nothing else."""
    environment = {**place.environment, "PYTHONPATH": str(REPOSITORY)}
    with (
        log.open("wb") as said,
        subprocess.Popen(
            _COMMAND,
            cwd=place.home,
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
