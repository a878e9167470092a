"""Commands, exit codes, JSON and messages, through the real console script."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from csq_assets.settings import Settings
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.platform import Platform, Ran


def assert_no_traceback(ran: Ran) -> None:
    assert "Traceback" not in ran.stderr + ran.stdout


def test_sync_as_json_is_one_object(either_platform: Platform) -> None:
    platform = either_platform
    broken = platform.deliver(
        12,
        users=[{"user_id": 1}],
        pageviews=[AvroFile(body=b"Obj")],
        columns={"pageviews": ["event_id", "user_id"]},
        full_resync=("users",),
    )
    ran = platform.csq("sync", "--json")
    assert_no_traceback(ran)
    document = ran.json()
    assert list(document) == ["dumps", "checks", "standing", "errors"]
    (error,) = document["errors"]
    assert error.startswith(f"dump 12, table pageviews, file {broken.paths['pageviews'][0]}: ")
    assert document["dumps"] == [
        {
            "dump_id": 12,
            "tables": [
                {
                    "table": "users",
                    "incremental": False,
                    "files": 1,
                    "rows": 1,
                    "status": "applied",
                    "error": None,
                },
                {
                    "table": "pageviews",
                    "incremental": True,
                    "files": 1,
                    "rows": 0,
                    "status": "failed",
                    "error": error,
                },
            ],
        }
    ]
    assert {
        "asset": "csq/raw/users",
        "check": "column_drift",
        "partition": "12",
        "passed": True,
        "severity": "WARN",
        "description": "dump 12 is the first of this table",
    } in document["checks"]
    assert ran.code == 1


def test_nothing_pending_says_so_and_does_nothing(platform: Platform) -> None:
    pairs = [{"from_user_id": 1, "to_user_id": 2}]
    platform.deliver(12, users=[{"user_id": 1}], user_migrations=pairs, full_resync=True)
    assert platform.csq("sync").code == 0
    ran = platform.csq("sync")
    assert (ran.code, ran.stdout) == (0, "")
    assert ran.stderr.splitlines() == [f"Nothing pending in {platform.settings.export_url}."]


def test_a_column_that_goes_is_exit_code_3(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1, "tier": "a"}])
    platform.deliver(13, users=[{"user_id": 1}])
    ran = platform.csq("sync")
    assert ran.code == 3
    assert 'ERROR csq/raw/users 13  column_drift: dump 13 removes "tier"' in ran.stderr


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"CSQ_EXPORT_URL": "gs://bucket"}, "setting CSQ_EXPORT_URL: "),
        ({"CSQ_EXPORT_URL": "/nowhere/at/all"}, "setting CSQ_EXPORT_URL: there is no directory"),
        ({"CSQ_DUCKDB_PATH": "data/csq.duckdb"}, "setting CSQ_DUCKDB_PATH: "),
        ({"DAGSTER_HOME": "/nowhere"}, "setting DAGSTER_HOME: there is no dagster.yaml"),
    ],
)
def test_wrong_settings_are_exit_code_2(
    platform: Platform, variables: dict[str, str], message: str
) -> None:
    ran = platform.csq("sync", **variables)
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"csq: {message}")
    assert_no_traceback(ran)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sync", "--dump", "13"), "there is no dump 13"),
        (("sync", "--dump", "x"), "'x' is not a valid integer"),
        (("rebuild", "nothing"), 'there is no table "nothing" in the lake'),
        (("sink",), "No such command 'sink'"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    platform: Platform, arguments: tuple[str, ...], message: str
) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    ran = platform.csq(*arguments)
    assert ran.code == 2
    assert message in ran.stderr
    assert_no_traceback(ran)


@pytest.mark.s3
def test_no_such_bucket_names_the_setting(s3_environment: str, platform: Platform) -> None:
    ran = platform.csq("sync", CSQ_EXPORT_URL="s3://nobody")
    assert ran.code == 2
    assert ran.stderr.startswith('csq: setting CSQ_EXPORT_URL: there is no bucket "nobody"')
    assert_no_traceback(ran)


@pytest.mark.s3
def test_an_endpoint_that_is_down_is_told(s3_environment: str, platform: Platform) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    ran = platform.csq(
        "sync",
        CSQ_EXPORT_URL="s3://customer",
        AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{port}",
        AWS_MAX_ATTEMPTS="1",
    )
    assert ran.code == 1
    assert "cannot be reached" in ran.stderr
    assert_no_traceback(ran)


@pytest.mark.s3
def test_missing_credentials_are_told(s3_environment: str, platform: Platform) -> None:
    ran = platform.csq(
        "sync", CSQ_EXPORT_URL="s3://customer", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY=""
    )
    assert ran.code == 2
    assert ran.stderr.startswith("csq: setting AWS_ACCESS_KEY_ID: no AWS credentials were found")
    assert_no_traceback(ran)


def test_status_tells_tables_failures_and_checks(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}, {"user_id": 1}])
    platform.deliver(13, users=[AvroFile(body=b"")], columns={"users": ["user_id"]})
    platform.deliver(14, users=[{"user_id": 2}])
    platform.sync()
    ran = platform.csq("status", "--json")
    assert ran.code == 0
    document = ran.json()
    assert [document[f"dumps_{one}"] for one in ("known", "taken", "pending")] == [3, 3, 0]
    assert document["tables"] == [
        {
            "table": "users",
            "pending": 0,
            "applied": 1,
            "failed": 1,
            "held": 1,
            "void": 0,
            "newest_dump": 14,
            "delivered": 2,
            "rows": 1,
        }
    ]
    assert document["last_sync"] == "2026-03-01T05:30:00+00:00"
    assert document["next_sync"] == "2026-03-02T05:00:00+00:00"
    assert [(one["dump_id"], one["table"]) for one in document["failures"]] == [(13, "users")]
    failing = {(one["asset"], one["check"]): one for one in document["failing_checks"]}
    assert failing["csq/current/users", "no_gap"]["description"] == (
        "dump 14 is held behind dump 13, which failed"
    )
    assert failing["csq/current/users", "complete"]["description"] == (
        "dump 13 failed; dump 14 is held"
    )
    said = platform.csq("status").stderr
    assert said.startswith("3 dumps known, 0 pending, 1 failed.\n")
    assert "held 1  void 0  newest dump 14  rows delivered 2  rows now 1\n" in said


def test_status_tells_what_is_pending_and_what_waits(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    platform.deliver(13, users=[{"user_id": 2}], sessions=[{"user_id": 2, "session_id": 5}])
    platform.sync(dump_id=12)  # which leaves the other
    document = platform.csq("status", "--json").json()
    assert (document["dumps_pending"], document["pending"]) == (
        1,
        [{"dump_id": 13, "tables": ["users", "sessions"]}],
    )
    assert (document["waiting"], document["wait_reason"]) == ([], "")
    assert [(one["table"], one["pending"], one["rows"]) for one in document["tables"]] == [
        ("users", 1, 1),
        ("sessions", 1, None),
    ]
    told = [(one["check"], one["description"]) for one in document["failing_checks"]]
    assert told == [("complete", "dump 13 is not decoded yet")] * 2
    said = platform.csq("status").stderr
    assert "1 pending, 0 failed" in said
    assert "Pending: dump 13. The next sync decodes them.\n" in said

    platform.export.report("2026-03-02", status="failed")
    platform.deliver(14, users=[{"user_id": 3}])
    platform.sync()
    said = platform.csq("status").stderr
    assert "Waiting: dumps 13, 14; the newest sync report, " in said


def test_doctor_tries_everything_one_line_each(either_platform: Platform) -> None:
    either_platform.deliver(12, users=[{"user_id": 1}])
    ran = either_platform.csq("doctor")
    assert ran.code == 0
    lines = ran.stderr.splitlines()
    assert all(line.startswith("ok ") for line in lines)
    names = [line[5:].split(":")[0] for line in lines]
    assert names == [
        *(variable for variable, _, _ in Settings.documented()),
        "DAGSTER_HOME",
        "list manifests",
        "list sync reports",
        "read a sync report",
        "read a manifest",
        "read a data file",
        "lake",
        "DuckDB file",
    ]


def test_doctor_names_what_is_wrong_and_goes_on(platform: Platform) -> None:
    ran = platform.csq("doctor", CSQ_EXPORT_URL="/nowhere/at/all")
    assert ran.code == 2
    failed = [line for line in ran.stderr.splitlines() if line.startswith("FAIL")]
    assert len(failed) == 1
    assert "Create it, or set CSQ_EXPORT_URL" in failed[0]
    assert "ok   lake: " in ran.stderr


def test_rebuild_replays_tables_from_the_lake(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], sessions=[{"user_id": 1, "session_id": 2}])
    platform.sync()
    platform.settings.duckdb_path.unlink()
    ran = platform.csq("rebuild", "users")
    assert ran.code == 0
    assert "Rebuilt users." in ran.stderr
    assert platform.rows("users") == [{"user_id": 1, "_dump_id": 12}]
    assert platform.csq("sync").code == 0
    assert len(platform.rows("sessions")) == 1


def test_a_snapshot_is_put_in_place_after_a_sync(platform: Platform, tmp_path: Path) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    snapshot = tmp_path / "readers" / "snapshot.duckdb"
    ran = platform.csq("sync", CSQ_DUCKDB_SNAPSHOT_PATH=str(snapshot))
    assert ran.code == 0
    with duckdb.connect(str(snapshot), read_only=True) as connection:
        assert connection.execute("SELECT user_id FROM csq.users").fetchall() == [(1,)]


@pytest.mark.slow
def test_two_passes_at_once_both_end_well(sampled: Platform) -> None:
    command = [Path(sys.executable).with_name("csq"), "sync", "--json"]
    both = [
        subprocess.Popen(
            command,
            cwd=sampled.folder,
            env=sampled.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    ended = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], ended
    counts = sorted(len(json.loads(stdout)["dumps"]) for stdout, _ in ended)
    assert counts == [0, 4]


def test_a_pass_that_cannot_begin_is_one_json_object_too(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    catalog = Path(platform.settings.lake_url) / "catalog.json"
    catalog.write_text("{")
    ran = platform.csq("sync", "--json")
    assert ran.code == 1
    document = ran.json()
    assert (document["dumps"], document["checks"]) == ([], [])
    (error,) = document["errors"]
    assert "catalog.json is damaged" in error
    assert_no_traceback(ran)
