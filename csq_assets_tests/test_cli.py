"""What `csq` makes of folders that cannot be used, and of where it is called."""

import os
import re
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME

from csq_assets.sqlite_events import SqliteEvents
from csq_assets_tests.platform import REPOSITORY, Platform, Ran


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file, which cannot be a folder."""
    path = tmp_path / "file"
    path.touch()
    return path


@pytest.mark.parametrize("variable", ["CSQ_DUCKDB_PATH", "CSQ_LAKE_URL"])
def test_a_folder_that_cannot_be_written_is_a_wrong_setting(
    platform: Platform, file: Path, variable: str
) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    ran = platform.csq("sync", **{variable: str(file / "warehouse.duckdb")})
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"csq: setting {variable}: {file}")
    assert re.search("cannot be written: |is a file, not a directory", ran.stderr)


@pytest.mark.s3
def test_what_cannot_be_a_bucket_is_a_wrong_setting(
    s3_environment: str, platform: Platform
) -> None:
    ran = platform.csq("sync", CSQ_EXPORT_URL="s3://a b")
    assert ran.code == 2
    assert ran.stderr == (
        'csq: setting CSQ_EXPORT_URL: "a b" cannot be the name of a bucket. '
        "Give s3://bucket, or s3://bucket/prefix.\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "storage: [",
        "storage:\n  postgres:\n    postgres_url: postgresql:/me:S3CRET@host/db\n",
        "storage:\n  sqlite:\n    base_dir: {file}/storage\n",
        "storage:\n  custom:\n    module: csq_assets.strage\n    class: SqliteStorage\n",
        "storage:\n  custom:\n    module: csq_assets.storage\n    class: SqliteStrage\n",
    ],
)
def test_a_wrong_dagster_yaml_is_a_wrong_setting(
    platform: Platform, tmp_path: Path, file: Path, text: str
) -> None:
    home = tmp_path / "broken"
    home.mkdir()
    (home / "dagster.yaml").write_text(text.format(file=file))
    ran = platform.csq("sync", DAGSTER_HOME=str(home))
    assert (ran.code, ran.stdout) == (2, "")
    (sentence,) = ran.stderr.splitlines()
    assert sentence.startswith(f"csq: setting DAGSTER_HOME: the Dagster instance of {home} ")
    assert "S3CRET" not in sentence


@pytest.fixture
def postgres_home(tmp_path: Path) -> Path:
    """What production uses: a database whose address is in variables."""
    home = tmp_path / "postgres"
    home.mkdir()
    text = (REPOSITORY / "deploy" / "dagster-postgres.yaml").read_text()
    (home / "dagster.yaml").write_text(text.replace("port: 5432", "port: 1"))  # nobody is there
    return home


def test_variables_of_postgres_that_are_not_set_are_named(
    platform: Platform, postgres_home: Path
) -> None:
    ran = platform.csq(
        "sync", "--json", DAGSTER_HOME=str(postgres_home), DAGSTER_PG_HOST="localhost"
    )
    said = (
        f"setting DAGSTER_HOME: the Dagster instance of {postgres_home} cannot be opened: not "
        "set in the environment: DAGSTER_PG_DB, DAGSTER_PG_PASSWORD, DAGSTER_PG_USERNAME. Correct "
        f"{postgres_home / 'dagster.yaml'}, or check the folder or the environment variables that "
        "it names."
    )
    assert (ran.code, ran.stderr) == (2, f"csq: {said}\n")
    assert ran.json() == {"dumps": [], "checks": [], "standing": [], "errors": [said]}


@pytest.mark.slow
def test_a_postgres_that_is_away_is_a_sentence_of_every_command(
    platform: Platform, postgres_home: Path
) -> None:
    variables = {
        "DAGSTER_HOME": str(postgres_home),
        "DAGSTER_PG_HOST": "127.0.0.1",
        "DAGSTER_PG_PASSWORD": "secret",
        **dict.fromkeys(("DAGSTER_PG_DB", "DAGSTER_PG_USERNAME"), "x"),
    }
    sentence = (
        f"setting DAGSTER_HOME: the Dagster instance of {postgres_home} cannot be opened: "
        'connection to server at "127.0.0.1", port 1 failed: Connection refused. Check that the '
        "database server runs, and its address, database, user and password in "
        f"{postgres_home / 'dagster.yaml'} or in the variables that it names. Then run csq again."
    )
    with ThreadPoolExecutor() as pool:  # each waits for Dagster to try again
        ran = [pool.submit(platform.csq, one, **variables) for one in ("sync", "rebuild", "doctor")]
    sync, rebuild, doctor = (one.result() for one in ran)
    assert sync == rebuild == Ran(1, "", f"csq: {sentence}\n")
    failed = [line for line in doctor.stderr.splitlines() if not line.startswith("ok ")]
    assert (doctor.code, failed) == (1, [f"FAIL DAGSTER_HOME: {sentence}"])


def test_odd_names_neither_stop_a_sync_nor_reach_the_terminal(platform: Platform) -> None:
    table = "evil\x1b]0;title\x07\u202e" + "購" * 20
    platform.deliver(12, **{table: [{"event_id": 1, "user_id": 1}]})
    reports = Path(platform.settings.export_url) / "sync_reports"
    os.mkfifo(reports / "pipe")
    (reports / "loop").symlink_to("loop")
    Path(os.fsdecode(bytes(reports) + b"/\xff")).write_bytes(b"{}")
    ran = [platform.csq(*arguments) for arguments in (("sync",), ("status",), ("doctor",))]
    assert [one.code for one in ran] == [0, 0, 0]
    assert r"evil\x1b]0;title\x07\u202e購" in ran[0].stderr
    for one in ran:
        assert not set("\x1b\x07\u202e") & set(one.stderr)
    assert platform.rows(table)[0]["event_id"] == 1


def index_of_runs(platform: Platform) -> Path:
    events = platform.instance.event_log_storage
    assert isinstance(events, SqliteEvents)
    return Path(events.path_for_shard(INDEX_SHARD_NAME))


@pytest.mark.parametrize("command", ["sync", "status", "doctor"])
def test_a_misspelled_setting_is_refused(platform: Platform, command: str) -> None:
    """Without effect, it would let personal data into the lake."""
    platform.deliver(12, users=[{"user_id": 1, "email": "ana@example.com"}])
    ran = platform.csq(command, CSQ_DROP_COLUMN="users.email")
    says = "setting CSQ_DROP_COLUMN: no setting has this name. "
    assert f"{says}Write CSQ_DROP_COLUMNS, or remove the variable.\n" in ran.stderr
    assert ran.code == 2
    assert not platform.settings.duckdb_path.exists()


def test_doctor_names_a_variable_that_is_no_setting(platform: Platform) -> None:
    ran = platform.csq("doctor", CSQ_ZZZ="1")
    failed = [line for line in ran.stderr.splitlines() if not line.startswith("ok ")]
    assert failed == ["FAIL CSQ_ZZZ: no setting has this name, so it has no effect. Remove it."]
    assert ran.code == 2


@pytest.mark.parametrize("command", ["sync", "rebuild", "doctor"])
def test_a_damaged_database_of_dagster_is_told(platform: Platform, command: str) -> None:
    index_of_runs(platform).write_bytes(b"no database")
    ran = platform.csq(command)
    assert ran.code == 1
    said = "setting DAGSTER_HOME: Dagster cannot record what is done: file is not a database. "
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("table", ["dynamic_partitions", "event_logs"])
def test_a_database_of_dagster_that_cannot_be_written_is_told(
    platform: Platform, table: str
) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    with closing(sqlite3.connect(index_of_runs(platform))) as database:
        database.execute(
            f"CREATE TRIGGER full BEFORE INSERT ON {table} "
            "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )
    ran = platform.csq("sync", "--json")
    assert ran.code == 1
    said = "setting DAGSTER_HOME: Dagster cannot record what is done: the disk is full. "
    assert [error.startswith(said) for error in ran.json()["errors"]] == [True]
    assert "Traceback" not in ran.stderr
    if table == "dynamic_partitions":
        assert said in platform.csq("doctor").stderr


def test_a_full_disk_under_dagster_is_reported(platform: Platform) -> None:
    script = Path(sys.executable).with_name("csq")
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 16; exec "$0" sync', script],  # no file grows beyond that
        cwd=platform.folder,
        env=platform.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    (sentence,) = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence.startswith("csq: setting DAGSTER_HOME: ")
    assert sentence.endswith("Is the disk full?")


def test_status_tells_checks_though_no_manifest_is_valid(platform: Platform) -> None:
    platform.export.report("2026-03-01", status="failed")
    platform.export.put_manifest(7, b"no JSON")
    platform.sync()
    failing = {
        check["check"] for check in platform.csq("status", "--json").json()["failing_checks"]
    }
    assert {"sync_succeeded", "manifest_readable"} <= failing


def test_status_tells_a_newest_dump_of_0(platform: Platform) -> None:
    platform.deliver(0, users=[{"user_id": 1}])
    platform.sync()
    assert "newest dump 0  rows delivered 1" in platform.csq("status").stderr
