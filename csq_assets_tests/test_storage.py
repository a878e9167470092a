"""The storages of dagster.yaml: one instance for every tool, from its first start on."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from csq_assets_tests.platform import SCRIPTS, Platform, copy_dagster_yaml, csq, run

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
