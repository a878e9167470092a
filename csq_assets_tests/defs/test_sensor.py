"""The sensor, tick by tick: what it asks for is applied as the daemon would."""

import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from csq_assets.defs import sensor as module
from csq_assets.defs.current_assets import CURRENT_JOB
from csq_assets.defs.keys import SYNC_REPORTS
from csq_assets.defs.raw_assets import RAW_JOB
from csq_assets.defs.sensor import SENSOR
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.platform import Platform

RESOURCES = ("export", "lake", "warehouse")


@dataclass(slots=True)
class Daemon:
    """Ticks, and does what a tick asks for. Run keys that were used are not run again."""

    platform: Platform
    cursor: str | None = None
    used: set[str] = field(default_factory=set)

    def tick(self) -> dg.SensorResult:
        result = self.evaluate()
        assert isinstance(result, dg.SensorResult), result
        for request in result.dynamic_partitions_requests or []:
            self.platform.instance.add_dynamic_partitions(
                request.partitions_def_name, list(request.partition_keys)
            )
        for event in result.asset_events or []:
            self.platform.instance.report_runless_asset_event(event)
        self.cursor = result.cursor
        return result

    def evaluate(self) -> object:
        defs = self.platform.definitions()
        repository = defs.get_repository_def()
        context = dg.build_sensor_context(
            instance=self.platform.instance,
            cursor=self.cursor,
            repository_def=repository,
            resources={key: (defs.resources or {})[key] for key in RESOURCES},
        )
        return repository.get_sensor_def(SENSOR)(context)

    def tick_and_run(self) -> dg.SensorResult:
        result = self.tick()
        for request in result.run_requests or []:
            if request.run_key not in self.used:
                self.used.add(str(request.run_key))
                self.run(request)
        return result

    def run(self, request: dg.RunRequest) -> None:
        self.platform.definitions().resolve_job_def(str(request.job_name)).execute_in_process(
            instance=self.platform.instance,
            asset_selection=list(request.asset_selection or []),
            run_config=request.run_config,
            tags={**request.tags, "dagster/sensor_name": SENSOR},
            raise_on_error=False,
        )


@pytest.fixture
def daemon(platform: Platform) -> Daemon:
    platform.export.report("2026-03-01")
    platform.sync()  # the catalog is read when definitions are built
    return Daemon(platform)


def asked(result: dg.SensorResult) -> list[dict[str, list[str]]]:
    """The work of each decoding run that a tick asks for."""
    return [
        request.run_config["ops"]["csq_decode"]["config"]["dumps"]
        for request in result.run_requests or []
        if request.job_name == RAW_JOB
    ]


def refreshed(result: dg.SensorResult) -> list[set[str]]:
    """The assets of each refreshing run that a tick asks for."""
    return [
        {key.to_user_string() for key in request.asset_selection or []}
        for request in result.run_requests or []
        if request.job_name == CURRENT_JOB
    ]


def test_waiting_dumps_go_into_one_run(daemon: Daemon) -> None:
    for dump_id in (10, 9):
        daemon.platform.deliver(dump_id, users=[{"user_id": dump_id}])
    result = daemon.tick_and_run()
    assert asked(result) == [{"9": ["users"], "10": ["users"]}]
    assert daemon.platform.partitions() == {("users", 9), ("users", 10)}
    after = daemon.tick_and_run()
    assert (asked(after), refreshed(after)) == (
        [],
        [{"csq/user_identity", "csq/current/users"}],
    )
    assert [row["user_id"] for row in daemon.platform.rows("users")] == [9, 10]
    quiet = daemon.tick()
    assert (quiet.run_requests, quiet.cursor) == ([], "{}")
    assert quiet.skip_reason == dg.SkipReason("nothing new")


def test_nothing_is_asked_for_twice_while_a_run_is_under_way(daemon: Daemon) -> None:
    daemon.platform.deliver(9, users=[{"user_id": 9}])
    first = daemon.tick()
    assert asked(first) == [{"9": ["users"]}]
    (request,) = first.run_requests or []
    run = daemon.platform.instance.create_run_for_job(
        daemon.platform.definitions().resolve_job_def(RAW_JOB),
        run_config=request.run_config,
        tags={"dagster/sensor_name": SENSOR},
    )
    again = daemon.tick()
    assert (again.run_requests, again.cursor) == ([], first.cursor)
    assert "a run is under way" in str(again.skip_reason)
    daemon.platform.instance.report_run_canceled(run)
    assert asked(daemon.tick()) == []  # within the hour, for it died without a word


def test_a_report_is_recorded_once_and_the_checks_when_they_change(daemon: Daemon) -> None:
    daemon.platform.export.report("2026-03-02", status="failed")
    result = daemon.tick()
    events = [
        (type(event).__name__, event.asset_key.to_user_string())
        for event in result.asset_events or []
    ]
    assert events == [
        ("AssetObservation", "csq/sync_reports"),
        ("AssetCheckEvaluation", "csq/sync_reports"),
        ("AssetCheckEvaluation", "csq/sync_reports"),
    ]
    assert list(daemon.tick().asset_events or []) == []
    observed = daemon.platform.instance.fetch_observations(SYNC_REPORTS, limit=5).records
    assert len(observed) == 2


@pytest.mark.edge(72)
def test_dumps_behind_a_failed_report_wait(daemon: Daemon) -> None:
    daemon.platform.export.report("2026-03-02", status="failed")
    daemon.platform.export.deliver(9, users=[{"user_id": 9}])
    daemon.tick_and_run()  # csq_meta learns of the report
    result = daemon.tick()
    assert result.run_requests == []
    assert 'the newest sync report says "failed"' in str(result.skip_reason)
    assert daemon.platform.instance.get_dynamic_partitions("csq_dumps") == ["9"]
    daemon.platform.export.report("2026-03-03")
    assert asked(daemon.tick()) == [{"9": ["users"]}]


def test_a_table_nobody_knew_waits_for_a_reload_and_the_others_do_not(daemon: Daemon) -> None:
    daemon.platform.deliver(9, tables={"users": [{"user_id": 9}], "sign_up": [{"x": 1}]})
    result = daemon.tick_and_run()
    assert asked(result) == [{"9": ["users"]}]
    after = daemon.tick_and_run()  # definitions are built anew, as by a reload
    assert asked(after) == [{"9": ["sign_up"]}]
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
    assert asked(daemon.tick_and_run()) == [{"9": ["users"]}]
    assert ("users", 9) in daemon.platform.partitions()


def test_a_failed_table_is_tried_again_hourly(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.platform.deliver(9, users=[AvroFile(body=b"")], columns={"users": ["user_id"]})
    daemon.tick_and_run()
    monkeypatch.setattr(module, "_now", lambda: datetime.now(UTC) + timedelta(minutes=61))
    assert asked(daemon.tick()) == [{"9": ["users"]}]


def test_a_run_that_died_without_a_word_is_asked_for_again_after_an_hour(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.platform.deliver(9, users=[{"user_id": 9}])
    first = daemon.tick()  # and nobody runs it
    monkeypatch.setattr(module, "_now", lambda: datetime.now(UTC) + timedelta(minutes=59))
    assert asked(daemon.tick()) == []
    monkeypatch.setattr(module, "_now", lambda: datetime.now(UTC) + timedelta(minutes=61))
    second = daemon.tick_and_run()
    keys = [request.run_key for one in (first, second) for request in one.run_requests or []]
    assert len(set(keys)) == 2
    assert daemon.platform.partitions() == {("users", 9)}


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
    assert refreshed(daemon.tick()) == [{"csq/user_identity", "csq/current/users"}]


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
    assert asked(result) == [{"9": ["users"]}]
    assert list(daemon.platform.lake.documents.records()) == [8, 9]
    failed = [
        event.description
        for event in result.asset_events or []
        if isinstance(event, dg.AssetCheckEvaluation) and not event.passed
    ]
    assert len(failed) == 1
    assert str(failed[0]).startswith("manifest manifests/sync_7.json: not JSON")


def test_an_export_that_is_not_there_is_told_and_comes_to_no_harm(daemon: Daemon) -> None:
    folder = daemon.platform.settings.export_url
    Path(folder).rename(f"{folder}.away")
    result = daemon.evaluate()
    assert isinstance(result, dg.SkipReason)
    assert f"there is no directory {folder}" in str(result.skip_message)
