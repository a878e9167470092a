"""What Dagster's daemon and code server do, without their waits: a tick, and a process for each run
that it requests, until there is nothing to do. And runs that a person starts in the UI.

Each tick and each run has a process of its own, as with Dagster; all are in one process group.
"""

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dagster as dg
from dagster._cli.api import _execute_run_command_body
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.execution.api import create_execution_plan
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.snap import snapshot_from_execution_plan
from dagster._core.storage.tags import GRPC_INFO_TAG, RUN_KEY_TAG

from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets_tests.platform import KEYS, tick

_MODULE = "csq_assets.definitions"
_GOES_ON = ("another sync is running", "in progress", "holds the DuckDB file")
_PAUSE_SECONDS = 0.1
_SENSOR_TAG = "dagster/sensor_name"


def run_daemon() -> None:
    """Tick, and execute what is requested, until a tick finds nothing to do."""
    runs = _in_a_process(_left_over)
    while runs is not None:
        for run_id in runs:
            _in_a_process(partial(_execute, run_id))
        runs = _in_a_process(_tick)


def materialize(*partitions: str) -> None:
    """Materialize all raw tables of these dumps, a run for each, all at once."""
    started = [_start(partial(_materialize, partition)) for partition in partitions]
    for each in started:
        _result(*each)


def ticks(number: str) -> None:
    """So many ticks, which request nothing, in one process, as the code server has them; a line of
    JSON says what each took."""
    defs = _definitions()
    with dg.DagsterInstance.get() as instance:
        for _ in range(int(number)):
            began, cpu_began = time.perf_counter(), time.process_time()
            said = str(tick(instance, defs))
            took = {
                "seconds": time.perf_counter() - began,
                "cpu_seconds": time.process_time() - cpu_began,
                "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "said": said[:500],
            }
            print(json.dumps(took), flush=True)  # noqa: T201


def _left_over() -> list[str]:
    """Runs that an earlier daemon requested, and did not live to launch."""
    with dg.DagsterInstance.get() as instance:
        found = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.NOT_STARTED]))
        return [run.run_id for run in reversed(found)]


def _tick() -> list[str] | None:
    """The runs that are requested; None where there is nothing to do."""
    with dg.DagsterInstance.get() as instance:
        result = tick(instance, _definitions())
        if isinstance(result, dg.SensorResult) and result.run_requests:
            return [
                _create(instance, request)
                for request in result.run_requests
                if not instance.get_runs(
                    dg.RunsFilter(tags={RUN_KEY_TAG: str(request.run_key)}), limit=1
                )
            ]
    if any(word in str(result) for word in _GOES_ON):
        time.sleep(_PAUSE_SECONDS)
        return []
    return None


def _materialize(partition: str) -> None:
    tables = [key for key in _definitions().resolve_all_asset_specs() if key.key.path[1] == "raw"]
    wanted = [spec.key for spec in tables if spec.key != KEYS.raw(PROPERTY_DEFINITIONS)]
    with dg.DagsterInstance.get() as instance:
        run_id = _create(
            instance,
            dg.RunRequest(job_name=KEYS.raw_job, partition_key=partition, asset_selection=wanted),
        )
    _execute(run_id)


def _create(instance: dg.DagsterInstance, request: dg.RunRequest) -> str:
    """The run, as the daemon creates it: without checks of its own, which belong to their assets."""
    job = _definitions().resolve_job_def(str(request.job_name))
    checks = None if request.asset_check_keys is None else frozenset(request.asset_check_keys)
    selection = frozenset(request.asset_selection) if request.asset_selection is not None else None
    if selection is not None:
        job = job.get_subset(asset_selection=selection, asset_check_selection=checks)
    tags = {**request.tags, _SENSOR_TAG: KEYS.sensor}
    if request.run_key:
        tags[RUN_KEY_TAG] = request.run_key
    if request.partition_key:
        tags["dagster/partition"] = request.partition_key
    plan = create_execution_plan(job, run_config=request.run_config, tags=tags)
    pointer = ModuleCodePointer(_MODULE, "defs")
    return instance.create_run(
        job_name=job.name,
        run_id=None,
        run_config=request.run_config,
        status=None,
        tags=tags,
        root_run_id=None,
        parent_run_id=None,
        step_keys_to_execute=plan.step_keys_to_execute,
        execution_plan_snapshot=snapshot_from_execution_plan(plan, job.get_job_snapshot_id()),
        job_snapshot=job.get_job_snapshot(),
        parent_job_snapshot=job.get_parent_job_snapshot(),
        asset_selection=selection,
        asset_check_selection=checks,
        resolved_op_selection=None,
        op_selection=None,
        remote_job_origin=None,
        job_code_origin=JobPythonOrigin(job.name, RepositoryPythonOrigin(sys.executable, pointer)),
        asset_graph=job.asset_layer.asset_graph,
    ).run_id


def _execute(run_id: str) -> None:
    """What the launcher tells of a run, and what that does in its process."""
    with dg.DagsterInstance.get() as instance:
        instance.add_run_tags(run_id, {GRPC_INFO_TAG: json.dumps({"host": "localhost"})})
        _execute_run_command_body(run_id, instance, lambda _: None, set_exit_code_on_failure=False)


def _definitions() -> dg.Definitions:
    from csq_assets.definitions import defs  # noqa: PLC0415  # it reads the environment and the lake

    return defs


def _in_a_process(work: Callable[[], Any]) -> Any:
    return _result(*_start(work))


def _start(work: Callable[[], Any]) -> tuple[int, int]:
    """The process that does the work, and where it writes what that gives."""
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return pid, read
    code = 1
    try:
        os.close(read)
        os.write(write, json.dumps(work()).encode())
        code = 0
    except BaseException:  # noqa: BLE001  # as the interpreter does
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _result(pid: int, read: int) -> Any:
    """What the work gave, whose process then ends."""
    said = b"".join(iter(partial(os.read, read, 4096), b""))
    os.close(read)
    _, status = os.waitpid(pid, 0)
    if status:
        sys.exit(f"a process of the daemon ended with {os.waitstatus_to_exitcode(status)}")
    return json.loads(said)


PROGRAMS: dict[str, Callable[..., None]] = {
    "daemon": run_daemon,
    "materialize": materialize,
    "ticks": ticks,
}


def main(arguments: Sequence[str]) -> None:
    PROGRAMS[arguments[0]](*arguments[1:])
