"""The sensor, tick by tick: what it requests is executed as the daemon would."""

import re
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster._core.remote_representation.external import RemoteJob

from csq_assets.defs import sensor as module
from csq_assets.errors import SettingsError
from csq_assets.pipeline.pass_lock import pass_lock
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.platform import KEYS, Platform, tick

REFRESH = {"csq/meta", "csq/user_identity", "csq/current/users"}


@dataclass(slots=True)
class Daemon:
    """Ticks, and executes what a tick requests. A run key is never run twice."""

    platform: Platform
    used: set[str] = field(default_factory=set)

    def tick(self) -> dg.SensorResult:
        result = self.evaluate()
        assert isinstance(result, dg.SensorResult), result
        return result

    def evaluate(self, defs: dg.Definitions | None = None) -> object:
        return tick(self.platform.instance, defs or self.platform.definitions())

    def tick_and_run(self) -> dg.SensorResult:
        result = self.tick()
        for request in result.run_requests or []:
            if request.run_key not in self.used:
                self.used.add(str(request.run_key))
                self.run(request)
        return result

    def job(self, request: dg.RunRequest) -> dg.JobDefinition:
        return self.platform.definitions().resolve_job_def(str(request.job_name))

    def run(self, request: dg.RunRequest) -> None:
        self.job(request).execute_in_process(
            instance=self.platform.instance,
            partition_key=request.partition_key,
            asset_selection=list(request.asset_selection or []),
            run_config=request.run_config,
            tags={**request.tags, "dagster/sensor_name": KEYS.sensor},
            raise_on_error=False,
        )

    def queue(self, request: dg.RunRequest, remote: RemoteJob | None = None) -> dg.DagsterRun:
        """The run of the request, before anything executes it. With its job in a code location, a
        launcher can."""
        tags = {"dagster/partition": str(request.partition_key)} if request.partition_key else {}
        return self.platform.instance.create_run_for_job(
            self.job(request),
            tags={**tags, **request.tags, "dagster/sensor_name": KEYS.sensor},
            asset_selection=frozenset(request.asset_selection or []) if remote else None,
            remote_job_origin=remote.get_remote_origin() if remote else None,
            job_code_origin=remote.get_python_origin() if remote else None,
        )


@pytest.fixture
def daemon(platform: Platform) -> Daemon:
    platform.export.report("2026-03-01")
    platform.sync()  # the catalog is read when definitions are built
    return Daemon(platform)


def asked(result: dg.SensorResult) -> list[tuple[str | None, list[str]]]:
    """The dump and the tables of each decoding run that a tick requests."""
    return [
        (request.partition_key, [key.path[-1] for key in request.asset_selection or []])
        for request in result.run_requests or []
        if request.job_name == KEYS.raw_job
    ]


def refreshed(result: dg.SensorResult) -> list[set[str]]:
    """The assets of each refreshing run that a tick requests."""
    return [
        {key.to_user_string() for key in request.asset_selection or []}
        for request in result.run_requests or []
        if request.job_name == KEYS.current_job
    ]


def test_each_waiting_dump_is_a_run_then_one_refreshes(daemon: Daemon) -> None:
    for dump_id in (10, 9):
        daemon.platform.deliver(dump_id, users=[{"user_id": dump_id}])
    result = daemon.tick_and_run()
    assert asked(result) == [("9", ["users"]), ("10", ["users"])]
    assert daemon.platform.partitions() == {("users", 9), ("users", 10)}
    after = daemon.tick_and_run()
    assert (asked(after), refreshed(after)) == ([], [REFRESH])
    assert [row["user_id"] for row in daemon.platform.rows("users")] == [9, 10]
    quiet = daemon.tick()
    assert (quiet.run_requests, quiet.skip_reason) == ([], dg.SkipReason("nothing new"))


def test_a_tick_requests_a_bounded_number_of_runs(daemon: Daemon) -> None:
    for dump_id in range(100, 125):
        daemon.platform.deliver(dump_id, users=[])
    first = daemon.tick()
    assert [dump for dump, _ in asked(first)] == [str(number) for number in range(100, 120)]
    for request in (first.run_requests or [])[:18]:
        daemon.run(request)
    for request in (first.run_requests or [])[18:]:
        daemon.queue(request)
    second = daemon.tick()
    assert [dump for dump, _ in asked(second)] == [str(number) for number in range(120, 125)]


def test_a_tick_leaves_a_log_only_where_it_requests_runs(daemon: Daemon) -> None:
    """A tick comes twice a minute, and each log is a file that stays."""
    logs = daemon.platform.folder / "data" / "dagster" / "logs"

    def of_ticks() -> list[str]:
        return [path.read_text() for path in logs.rglob(f"{KEYS.sensor}/*.err")]

    daemon.platform.deliver(9, users=[{"user_id": 9}])
    daemon.platform.export.put_manifest(10, b"{")
    assert asked(daemon.tick_and_run()) == [("9", ["users"])]
    (said,) = of_ticks()
    assert "not a valid manifest, read again each time: " in said
    for path in logs.rglob(f"{KEYS.sensor}/*.err"):
        path.unlink()
    assert refreshed(daemon.tick_and_run()) == [REFRESH]
    assert len(of_ticks()) == 1
    for _ in range(2):
        assert "not a valid manifest" in str(daemon.tick().skip_reason)
    assert len(of_ticks()) == 1


def test_nothing_is_requested_twice_while_its_run_is_in_progress(daemon: Daemon) -> None:
    daemon.platform.deliver(9, users=[{"user_id": 9}])
    (request,) = daemon.tick().run_requests or []
    run = daemon.queue(request)
    again = daemon.tick()
    assert again.run_requests == []
    assert "decoding runs in progress: 1" in str(again.skip_reason)
    daemon.platform.instance.report_run_canceled(run)
    (repeated,) = daemon.tick().run_requests or []  # at once, under another key
    assert (repeated.partition_key, repeated.run_key) != ("9", request.run_key)
    assert repeated.partition_key == "9"


def test_runs_that_never_finish_are_not_repeated_without_end(daemon: Daemon) -> None:
    daemon.platform.deliver(9, users=[{"user_id": 9}])
    for _ in range(5):
        (request,) = daemon.tick().run_requests or []
        daemon.platform.instance.report_run_canceled(daemon.queue(request))
    stopped = daemon.tick()
    assert stopped.run_requests == []
    assert "dump 9 had 5 runs within an hour; it waits" in str(stopped.skip_reason)


def test_a_run_that_a_sync_left_behind_is_marked_as_failed(daemon: Daemon) -> None:
    daemon.platform.deliver(9, users=[{"user_id": 9}])
    (request,) = daemon.tick().run_requests or []
    run = daemon.queue(dg.RunRequest(job_name=request.job_name, tags={"csq/headless": "true"}))
    daemon.tick()
    left = daemon.platform.instance.get_run_by_id(run.run_id)
    assert left is not None
    assert left.status == dg.DagsterRunStatus.FAILURE


@pytest.mark.edge(65)
def test_a_refused_name_is_told_by_every_tick(daemon: Daemon) -> None:
    row = {"user_id": 1, "event_id": 2}
    daemon.platform.deliver(9, tables={"a-b": [row], "a_b": [row]})
    for _ in range(3):
        daemon.tick_and_run()
    assert str(daemon.tick().skip_reason).startswith(
        'SkipReason(skip_message=\'table a_b: its name cannot be told apart from that of table "a-b"'
    )
    assert daemon.platform.partitions() == {("a-b", 9)}


def test_a_tick_beside_a_sync_does_nothing(daemon: Daemon) -> None:
    daemon.platform.deliver(9, users=[{"user_id": 9}])
    with pass_lock(daemon.platform.settings.duckdb_path, wait_seconds=0):
        assert daemon.evaluate() == dg.SkipReason("another sync is running")
    assert asked(daemon.tick()) == [("9", ["users"])]


def test_a_report_is_recorded_once_and_the_checks_when_they_change(daemon: Daemon) -> None:
    instance = daemon.platform.instance

    def recorded() -> tuple[int, list[bool]]:
        history = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(KEYS.sync_reports, "sync_succeeded"), limit=9
        )
        evaluations = [record.evaluation for record in history]
        observed = instance.fetch_observations(KEYS.sync_reports, limit=9).records
        return len(observed), [one.passed for one in evaluations if one is not None]

    assert recorded() == (1, [True])
    daemon.platform.export.report("2026-03-02", status="failed")
    daemon.tick()
    daemon.tick()
    assert recorded() == (2, [False, True])


def test_a_tick_with_nothing_to_do_names_what_is_not_well(daemon: Daemon) -> None:
    daemon.platform.deliver(9, users=[AvroFile(body=b"Obj\x01")])
    daemon.tick_and_run()
    daemon.tick_and_run()  # csq_meta learns of it
    daemon.platform.export.put_manifest(10, b"{")
    reason = daemon.tick().skip_reason
    assert reason is not None
    assert reason.skip_message is not None
    unreadable, failed = reason.skip_message.split("; dump 9 failed: ")
    assert unreadable.startswith("not a valid manifest, read again each time: ")
    assert "manifests/sync_10.json" in unreadable
    assert re.fullmatch(
        r"table users; next attempt at \d\d:\d\d UTC, or when its file changes", failed
    )


@pytest.mark.edge(72)
def test_dumps_behind_a_failed_report_wait(daemon: Daemon) -> None:
    daemon.platform.export.report("2026-03-02", status="failed")
    daemon.platform.export.deliver(9, users=[{"user_id": 9}])
    daemon.tick_and_run()  # csq_meta learns of the report
    result = daemon.tick()
    assert result.run_requests == []
    assert result.skip_reason is not None
    assert result.skip_reason.skip_message == (
        'dump 9 waiting: the newest sync report, 2026-03-02.json, says "failed": manifests written '
        "after 2026-03-01 05:30 UTC, when the last successful sync finished, wait for the next sync "
        "that succeeds"
    )
    assert daemon.platform.instance.get_dynamic_partitions("csq_dumps") == ["9"]
    daemon.platform.export.report("2026-03-03")
    assert asked(daemon.tick()) == [("9", ["users"])]


def test_a_new_table_that_a_sync_took_gets_assets_too(daemon: Daemon) -> None:
    loaded = daemon.platform.definitions()
    daemon.platform.deliver(9, sign_up=[{"user_id": 1, "event_id": 2}])
    daemon.platform.sync()
    result = daemon.evaluate(loaded)
    assert isinstance(result, dg.SensorResult)
    assert result.run_requests == []
    assert "new tables: sign_up. Reload the code location" in str(result.skip_reason)


def test_a_table_nobody_knew_waits_for_a_reload_and_the_others_do_not(daemon: Daemon) -> None:
    daemon.platform.deliver(9, tables={"users": [{"user_id": 9}], "sign_up": [{"x": 1}]})
    result = daemon.tick_and_run()
    assert asked(result) == [("9", ["users"])]
    after = daemon.tick_and_run()  # definitions are rebuilt, as by a reload
    assert asked(after) == [("9", ["sign_up"])]
    assert daemon.platform.partitions() == {("users", 9), ("sign_up", 9)}


def test_a_failed_table_is_tried_again_when_its_file_changes(daemon: Daemon) -> None:
    broken = daemon.platform.deliver(
        9,
        users=[AvroFile(body=b"")],
        sessions=[{"user_id": 1, "session_id": 1}],
        columns={"users": ["user_id"]},
    )
    daemon.tick_and_run()
    assert asked(daemon.tick()) == []
    good = daemon.platform.export.deliver(8, users=[{"user_id": 1}], with_manifest=False)
    export = daemon.platform.export
    export.put(
        export.key_of(broken.paths["users"][0]),
        export.get(export.key_of(good.paths["users"][0])),
    )
    assert asked(daemon.tick_and_run()) == [("9", ["users"])]
    assert ("users", 9) in daemon.platform.partitions()


def test_a_failed_table_is_tried_again_hourly(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.platform.deliver(9, users=[AvroFile(body=b"")], columns={"users": ["user_id"]})
    daemon.tick_and_run()
    monkeypatch.setattr(module, "_now", lambda: datetime.now(UTC) + timedelta(minutes=61))
    assert asked(daemon.tick()) == [("9", ["users"])]


def test_a_refresh_that_failed_is_repeated_after_ten_minutes(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.platform.deliver(9, users=[{"user_id": 9}])
    daemon.tick_and_run()
    partition = Path(daemon.platform.lake.store.location("users", 9))
    body = partition.read_bytes()
    partition.write_bytes(b"PAR1")
    assert refreshed(daemon.tick_and_run()) == [REFRESH]
    waiting = daemon.tick()
    assert waiting.run_requests == []
    assert "the last refresh failed; it is repeated after 10 minutes" in str(waiting.skip_reason)
    partition.write_bytes(body)
    monkeypatch.setattr(module, "_now", lambda: datetime.now(UTC) + timedelta(minutes=11))
    assert refreshed(daemon.tick_and_run()) == [REFRESH]
    assert daemon.platform.rows("users") == [{"user_id": 9, "_dump_id": 9}]


def test_a_refresh_that_was_canceled_or_killed_is_repeated_at_the_next_tick(
    daemon: Daemon,
) -> None:
    instance = daemon.platform.instance
    daemon.platform.deliver(9, users=[{"user_id": 9}])
    daemon.tick_and_run()
    for report in (instance.report_run_canceled, instance.report_run_failed):
        (request,) = daemon.tick().run_requests or []
        report(daemon.queue(request))
    assert refreshed(daemon.tick_and_run()) == [REFRESH]
    assert daemon.platform.rows("users") == [{"user_id": 9, "_dump_id": 9}]


def test_a_snapshot_that_is_behind_is_published(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.export.report("2026-03-01")
    snapshot = tmp_path / "missing" / "snapshot.duckdb"
    settings = replace(platform.settings, snapshot_path=snapshot)
    daemon = Daemon(replace(platform, settings=settings))
    daemon.platform.deliver(9, users=[{"user_id": 9}])
    daemon.tick_and_run()
    snapshot.parent.write_text("in the way")
    daemon.tick_and_run()  # refreshes
    assert refreshed(daemon.tick_and_run()) == [{"csq/snapshot"}]
    assert not snapshot.exists()
    assert daemon.tick().run_requests == []
    snapshot.parent.unlink()
    monkeypatch.setattr(module, "_now", lambda: datetime.now(UTC) + timedelta(minutes=11))
    assert refreshed(daemon.tick_and_run()) == [{"csq/snapshot"}]
    with duckdb.connect(str(snapshot), read_only=True) as connection:
        assert connection.execute("SELECT user_id FROM csq.users").fetchall() == [(9,)]
    assert daemon.tick().run_requests == []


def test_what_a_run_for_other_readers_did_not_live_to_record_is_made_again_once(
    platform: Platform, tmp_path: Path
) -> None:
    platform.export.report("2026-03-01")
    settings = replace(platform.settings, snapshot_path=tmp_path / "snapshot.duckdb")
    daemon = Daemon(replace(platform, settings=settings))
    daemon.platform.deliver(9, users=[{"user_id": 9}])
    while daemon.tick_and_run().run_requests:
        pass
    assert daemon.tick().run_requests == []
    killed = platform.instance.create_run_for_job(
        daemon.platform.definitions().resolve_job_def(KEYS.current_job),
        asset_selection=frozenset({KEYS.snapshot}),
        tags={KEYS.tag("refresh"): "snapshot"},
    )
    platform.instance.report_run_canceled(killed)
    assert refreshed(daemon.tick_and_run()) == [{"csq/snapshot"}]
    assert daemon.tick().run_requests == []


def test_what_changed_is_published_after_the_refresh(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.export.report("2026-03-01")
    tables = tmp_path / "tables"
    settings = replace(platform.settings, publish_url=str(tables), publish_format="parquet")
    daemon = Daemon(replace(platform, settings=settings))
    daemon.platform.deliver(9, users=[{"user_id": 9}])
    daemon.tick_and_run()
    assert refreshed(daemon.tick_and_run()) == [REFRESH]
    tables.write_text("in the way")
    assert refreshed(daemon.tick_and_run()) == [{"csq/published/users"}]
    assert daemon.tick().run_requests == []
    tables.unlink()
    monkeypatch.setattr(module, "_now", lambda: datetime.now(UTC) + timedelta(minutes=11))
    assert refreshed(daemon.tick_and_run()) == [{"csq/published/users"}]
    assert (tables / "parquet" / "users" / "manifest.json").is_file()
    assert daemon.tick().run_requests == []


def test_a_refresh_waits_while_another_process_holds_the_file(daemon: Daemon) -> None:
    daemon.platform.deliver(9, users=[{"user_id": 9}])
    daemon.tick_and_run()
    holder = hold_file(daemon.platform.settings.duckdb_path)
    try:
        held = daemon.tick()
        assert held.run_requests == []
        assert "holds the DuckDB file" in str(held.skip_reason)
    finally:
        holder.communicate(b"let go")
    assert refreshed(daemon.tick()) == [REFRESH]


def hold_file(path: Path) -> "subprocess.Popen[bytes]":
    """A process that has the DuckDB file open for writing until it is spoken to."""
    code = (
        "import duckdb, sys\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"open\n"
    return holder


@pytest.mark.edge(8, 13)
def test_bad_files_stop_nothing_else(daemon: Daemon) -> None:
    daemon.platform.export.put_manifest(7, b"no JSON")
    daemon.platform.export.report("2026-03-02", body=b"{")
    daemon.platform.export.put_manifest(8, {"dump_id": 8, "tables": []})
    daemon.platform.deliver(9, users=[{"user_id": 9}])
    result = daemon.tick_and_run()
    assert asked(result) == [("9", ["users"])]
    assert list(daemon.platform.lake.ledger.records()) == [8, 9]
    (record,) = daemon.platform.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(KEYS.manifests, "manifest_readable"), limit=1
    )
    assert record.evaluation is not None
    assert not record.evaluation.passed
    assert str(record.evaluation.description).startswith("manifest manifests/sync_7.json: not JSON")


def test_a_tick_without_an_export_fails_and_still_tells_what_is_overdue(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = daemon.platform.settings.export_url
    Path(folder).rename(f"{folder}.away")
    monkeypatch.setattr(module, "_now", lambda: datetime(2026, 3, 2, 7, tzinfo=UTC))
    with pytest.raises(SettingsError, match=f"there is no directory {folder}"):
        daemon.evaluate()
    newest, *_ = daemon.platform.instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(KEYS.sync_reports, "sync_on_time"), limit=1
    )
    assert newest.evaluation is not None
    assert (newest.evaluation.passed, newest.evaluation.description) == (
        False,
        "a sync was announced for 2026-03-02 05:00 UTC, but nothing was delivered",
    )
