"""The storages of dagster.yaml: one instance for every tool, from its first start on."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

from csq_assets_tests.platform import KEYS, SCRIPTS, Platform, copy_dagster_yaml, csq, run

STARTERS = 4
OPEN = """
import dagster, csq_assets.storage, os
print("ready", flush=True)
input()
with dagster.DagsterInstance.get() as instance:
    instance.add_dynamic_partitions("csq_dumps", [f"{instance.get_runs_count()}-{os.getpid()}"])
"""
RENAMED = """
import importlib.machinery, sys

class Renamed(importlib.machinery.SourceFileLoader):
    def get_code(self, name):
        source = self.get_source(name).replace({old!r}, {new!r})
        return self.source_to_code(source, self.path)

class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = super().find_spec(name, path, target)
        if name.startswith("dagster._core.storage"):
            spec.loader = Renamed(name, spec.origin)
        return spec

sys.meta_path.insert(0, Finder)
"""


@pytest.fixture
def fresh_home(tmp_path: Path) -> Path:
    """A folder with nothing but dagster.yaml."""
    folder = tmp_path / "fresh"
    folder.mkdir()
    copy_dagster_yaml(folder)
    return folder


def test_every_tool_uses_the_instance_of_dagster_home(platform: Platform, tmp_path: Path) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    environment = platform.environment()
    assert csq(elsewhere, "sync", environment=environment).code == 0
    materialized = run(
        *(SCRIPTS / "dagster", "asset", "materialize"),
        *("--select", "csq/raw/users", "--partition", "12", "-m", "csq_assets.definitions"),
        cwd=elsewhere,
        environment=environment,
    )
    assert materialized.code == 0, materialized.stderr
    code = (
        "from csq_assets.definitions import defs\n"
        "import dagster\n"
        "print(defs.load_asset_value(['csq', 'raw', 'users'], partition_key='12')['user_id'][0])\n"
        "with dagster.DagsterInstance.get() as instance:\n"
        "    print(instance.get_runs_count())"
    )
    runs = platform.instance.get_runs_count()
    assert runs == 3
    loaded = run(sys.executable, "-c", code, cwd=elsewhere, environment=environment)
    assert loaded.stdout == f"1\n{runs}\n", loaded.stderr
    assert list(elsewhere.iterdir()) == []


def test_many_processes_start_at_once_on_a_fresh_home(fresh_home: Path, platform: Platform) -> None:
    environment = {**platform.environment(), "DAGSTER_HOME": str(fresh_home)}
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(STARTERS)
    ]
    for starter in starters:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "ready\n"
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("\n")
        starter.stdin.flush()
    ended = [(*starter.communicate(timeout=300), starter.returncode) for starter in starters]
    assert ended == [("", "", 0)] * STARTERS
    assert platform.csq("sync", DAGSTER_HOME=str(fresh_home)).code == 0


@pytest.mark.parametrize("database", ["history/runs.db", "history/runs/index.db"])
def test_a_database_with_two_revisions_is_a_sentence(platform: Platform, database: str) -> None:
    folder = platform.folder / "data" / "dagster"
    with closing(sqlite3.connect(folder / database)) as connection:
        connection.execute("INSERT INTO alembic_version VALUES ('5771160a95ad')")
        connection.commit()
    ran = platform.csq("sync")
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(
        f"csq: setting DAGSTER_HOME: Dagster's databases in {folder} are damaged: "
    )
    assert ran.stderr.endswith(
        "Move this folder away. It holds the history of runs only; the next sync creates it again.\n"
    )
    folder.rename(folder.with_name("away"))
    assert platform.csq("sync").code == 0


@pytest.mark.parametrize("private", ["_db_lock", "_connect(", "SqliteEventLog"])
def test_a_dagster_with_other_private_names_is_used_as_it_is(
    platform: Platform, tmp_path: Path, private: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(RENAMED.format(old=private, new=f"New{private}"))
    platform.deliver(12, users=[{"user_id": 1}])
    ran = platform.csq("sync", PYTHONPATH=str(tmp_path))
    assert ran.code == 0, ran.stderr
    warnings = [line for line in ran.stderr.splitlines() if "does not fit" in line]
    assert [line[: line.index(":")] for line in warnings] == [
        "csq_assets records events through Dagster's own SQLite storage, which is slower"
    ]
    assert platform.instance.get_runs_count() == 2
    assert platform.rows("users") == [{"user_id": 1, "_dump_id": 12}]


def checked(platform: Platform) -> list[AssetCheckExecutionRecord]:
    """The evaluations of a check on partition 12, as the UI reads them."""
    key = dg.AssetCheckKey(KEYS.raw("users"), "column_drift")
    return list(platform.instance.event_log_storage.get_asset_check_execution_history(key, limit=9))


def test_an_evaluation_is_whole_in_its_run_and_on_the_page_of_the_check(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    (record,) = checked(platform)
    (logged,) = (
        entry
        for entry in platform.instance.all_logs(
            record.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        )
        if entry.get_dagster_event().asset_check_evaluation_data.check_name == record.key.name
    )
    assert record.event is not None
    assert record.evaluation == logged.get_dagster_event().asset_check_evaluation_data
    assert (record.event.step_key, record.event.timestamp) == (logged.step_key, logged.timestamp)
    assert logged.user_message.startswith("Asset check 'column_drift'")
    index = platform.folder / "data" / "dagster" / "history" / "runs" / "index.db"
    with closing(sqlite3.connect(index)) as connection:
        found = connection.execute(
            "SELECT count(*), max(length(event)) FROM event_logs "
            "WHERE dagster_event_type = 'ASSET_CHECK_EVALUATION'"
        ).fetchall()
    ((count, longest),) = found
    assert count > 5
    assert longest < 400


def test_steps_that_print_nothing_leave_no_files_for_it(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    assert platform.csq("sync").code == 0
    logs = platform.folder / "data" / "dagster" / "logs"
    assert {path.suffix for path in logs.rglob("*") if path.is_file()} == {".complete"}


def test_what_runs_of_long_ago_said_is_purged_and_what_they_made_stays(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    assert platform.csq("sync").code == 0
    runs = {run.run_id for run in platform.instance.get_runs()}
    before, past = checked(platform), time.time() - 91 * 24 * 3600
    data = platform.folder / "data" / "dagster"
    left = (
        data / "history" / "runs" / f"{uuid4()}.new"
    )  # by a kill, while the file of a run is made
    left.touch()
    for path in [*(data / "history" / "runs").iterdir(), *(data / "logs").iterdir()]:
        os.utime(path, (past, past))
    platform.deliver(13, users=[{"user_id": 2}])
    assert platform.csq("sync").code == 0
    now = {run.run_id for run in platform.instance.get_runs()}
    assert runs < now
    new = {path.stem for path in (data / "history" / "runs").glob("*-*.db")}
    assert new == {path.name for path in (data / "logs").iterdir()} == now - runs
    assert not left.exists()
    assert platform.instance.get_materialized_partitions(KEYS.raw("users")) == {"12", "13"}
    assert [record.id for record in checked(platform)][-1:] == [record.id for record in before]
