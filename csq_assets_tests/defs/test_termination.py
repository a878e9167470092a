"""A run that a person terminates in the UI, in a process of its own, as the daemon launches it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Event

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget

from csq_assets_tests.builders import AvroFile, ExportBuilder
from csq_assets_tests.defs.test_sensor import Daemon, asked
from csq_assets_tests.faulty_s3 import FaultyS3, hanging
from csq_assets_tests.platform import KEYS, REPOSITORY, open_platform

WAITS_SECONDS = 120


@contextmanager
def log_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[Callable[[str], None]]:
    """Gives a function that returns when the run says something."""
    said = Queue[str]()

    def see(entry: dg.EventLogEntry, _cursor: str) -> None:
        said.put(entry.message or entry.user_message)

    def wait_for(text: str) -> None:
        while text not in said.get(timeout=WAITS_SECONDS):
            pass

    instance.watch_event_logs(run.run_id, None, see)
    yield wait_for
    instance.end_watch_event_logs(run.run_id, see)


@pytest.mark.s3
@pytest.mark.slow
def test_a_dump_whose_run_is_terminated_is_due_at_the_next_tick(
    faulty_s3: FaultyS3,
    s3_export: ExportBuilder,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = Event()
    faulty_s3.fault = hanging("/last.avro", released)
    with open_platform(home, s3_export, str(home / "data" / "lake")) as platform:
        files = [AvroFile([{"user_id": 1}]), AvroFile([{"user_id": 2}], name="last.avro")]
        platform.deliver(12, users=files)
        daemon = Daemon(platform)
        (request,) = daemon.tick().run_requests or []
        for name, value in platform.environment().items():
            monkeypatch.setenv(name, value)
        with WorkspaceProcessContext(
            platform.instance, WorkspaceFileTarget([str(REPOSITORY / "workspace.yaml")])
        ) as process:
            workspace = process.create_request_context()
            (repository,) = workspace.get_code_location("csq_assets").get_repositories().values()
            run = daemon.queue(request, repository.get_full_job(KEYS.raw_job))
            with log_of(platform.instance, run) as wait_for:
                platform.instance.launch_run(run.run_id, workspace)
                wait_for("decoding: 1 of 2 files, 0 rows")
                assert platform.instance.run_launcher.terminate(run.run_id)
                wait_for("Process for run exited")
        (ended,) = platform.instance.get_runs()
        assert ended.status is dg.DagsterRunStatus.CANCELED
        assert platform.partitions() == set()
        assert list((home / "data" / "lake" / ".staging").iterdir()) == []
        assert asked(daemon.tick()) == [("12", ["users"])]
        released.set()
        assert platform.sync().exit_code == 0
        assert [row["user_id"] for row in platform.rows("users")] == [1, 2]
