"""A run in a process of its own, as the daemon launches it: a person terminates it, or it is killed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Event

import dagster as dg
import psutil
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget

from csq_assets_tests.builders import AvroFile, ExportBuilder
from csq_assets_tests.defs.test_sensor import Daemon, asked
from csq_assets_tests.faulty_s3 import FaultyS3, hanging
from csq_assets_tests.platform import KEYS, REPOSITORY, Platform, open_platform

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


@dataclass(frozen=True, slots=True)
class Launched:
    """A run that decodes: the second of its two files comes once it is `released`."""

    platform: Platform
    daemon: Daemon
    run: dg.DagsterRun
    wait_for: Callable[[str], None]
    released: Event

    @property
    def process(self) -> psutil.Process:
        (started,) = (
            entry.message
            for entry in self.platform.instance.all_logs(self.run.run_id)
            if entry.message.startswith("Started process for run")
        )
        return psutil.Process(int(started.partition("pid: ")[2].partition(")")[0]))

    def check_next_tick(self, status: dg.DagsterRunStatus) -> None:
        """The run did nothing, and what it had to do is requested again, and done."""
        staging = Path(self.platform.settings.lake_url) / ".staging"
        assert self.platform.partitions() == set()
        assert asked(self.daemon.tick()) == [("12", ["users"])]
        (ended,) = self.platform.instance.get_runs()
        assert ended.status is status
        assert status is not dg.DagsterRunStatus.CANCELED or list(staging.iterdir()) == []
        self.released.set()
        assert self.platform.sync().exit_code == 0
        assert [row["user_id"] for row in self.platform.rows("users")] == [1, 2]


@contextmanager
def launched(
    faulty_s3: FaultyS3, export: ExportBuilder, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Launched]:
    """A code server, and a run of it in the midst of its work."""
    released = Event()
    faulty_s3.fault = hanging("/last.avro", released)
    with open_platform(home, export, str(home / "data" / "lake")) as platform:
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
                yield Launched(platform, daemon, run, wait_for, released)


@pytest.mark.s3
@pytest.mark.slow
def test_a_dump_whose_run_is_terminated_is_due_at_the_next_tick(
    faulty_s3: FaultyS3, s3_export: ExportBuilder, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with launched(faulty_s3, s3_export, home, monkeypatch) as run:
        assert run.platform.instance.run_launcher.terminate(run.run.run_id)
        run.wait_for("Process for run exited")
        run.check_next_tick(dg.DagsterRunStatus.CANCELED)


@pytest.mark.s3
@pytest.mark.slow
def test_a_dump_whose_run_is_killed_with_its_code_server_is_due_at_the_next_tick(
    faulty_s3: FaultyS3, s3_export: ExportBuilder, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with launched(faulty_s3, s3_export, home, monkeypatch) as run:
        assert asked(run.daemon.tick()) == []  # it is in progress
        worker = run.process
        for process in (worker.parents()[0], worker):  # the server first, which would tell
            process.kill()
        run.check_next_tick(dg.DagsterRunStatus.FAILURE)
