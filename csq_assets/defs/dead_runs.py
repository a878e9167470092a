"""Runs whose process is gone, and whose code server cannot tell: it was killed as well.

Where a machine restarts, or a container is replaced, Dagster's default launcher leaves such runs in
progress for good. What they were to do would never be requested again.
"""

import dagster as dg
import psutil
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.storage.tags import GRPC_INFO_TAG

from csq_assets.defs.keys import Keys
from csq_assets.defs.run_requests import AT_WORK, is_ours

_PID = "pid"  # in the metadata of the event by which a run says which process it is
_CLOCK_SECONDS = 60  # by which clock and starts of processes may differ


def fail_dead_runs(instance: dg.DagsterInstance, keys: Keys) -> None:
    """Mark runs of ours as failed whose process has ended without a word.

    Call it in the code server: what it launched are its children, or those of the server before it.
    Other runs may be on another machine, and other launchers than Dagster's default watch theirs.
    """
    if not isinstance(instance.run_launcher, DefaultRunLauncher):
        return
    for run in instance.get_runs(dg.RunsFilter(statuses=AT_WORK)):
        is_launched = GRPC_INFO_TAG in run.tags  # by a code server
        if is_launched and is_ours(run, keys) and _process_is_gone(instance, run):
            now = instance.get_run_by_id(run.run_id)  # it may have come to its end meanwhile
            if now is not None and not now.is_finished:
                instance.report_run_failed(
                    now, "the process of this run was killed; what it had finished is kept"
                )


def _process_is_gone(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether no process has the number that the run gave, or one that began later."""
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        metadata = entry.dagster_event.engine_event_data.metadata if entry.dagster_event else {}
        if _PID in metadata:
            return _is_gone(int(str(metadata[_PID].value)), since=entry.timestamp)
    return False


def _is_gone(pid: int, since: float) -> bool:
    try:
        process = psutil.Process(pid)
        has_ended = process.status() == psutil.STATUS_ZOMBIE  # nobody has asked how it ended
        return has_ended or process.create_time() > since + _CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:  # there is one
        return False
