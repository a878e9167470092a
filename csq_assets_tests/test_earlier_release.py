"""What an earlier version wrote is read by this one, or refused in words.

`fixtures/earlier_release.tar.xz` is a home as a version with format 2 of the DuckDB file left it: three
dumps, two users that became one, a full resync; Dagster's databases, the lake and the DuckDB file.
"""

import json
import tarfile
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from csq_assets_tests.platform import Ran, csq

ARCHIVE = Path(__file__).parent / "fixtures" / "earlier_release.tar.xz"


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def run(home: Path, *arguments: str) -> Ran:
    return csq(home, *arguments, environment={"DAGSTER_HOME": str(home)})


def test_a_duckdb_file_of_an_earlier_format_is_refused_and_stays(earlier: Path) -> None:
    file = earlier / "data" / "warehouse.duckdb"
    before = file.read_bytes()
    ran = run(earlier, "rebuild")
    assert ran.code == 1
    assert "the DuckDB file has format 2" in ran.stderr
    assert "Move the file away and run csq rebuild" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert file.read_bytes() == before


def test_an_earlier_lake_gives_the_tables_of_today(earlier: Path) -> None:
    file = earlier / "data" / "warehouse.duckdb"
    file.unlink()
    assert run(earlier, "rebuild").code == 0
    ran = run(earlier, "sync")
    assert (ran.code, ran.stdout) == (0, "")
    assert "Nothing pending" in ran.stderr
    with duckdb.connect(str(file), read_only=True) as connection:
        found = {
            table: connection.execute(f"FROM csq.{table} ORDER BY ALL").fetchall()
            for table in ("pageviews", "signup")
        }
        users = connection.execute("SELECT user_id, joindate FROM csq.users").fetchall()
    assert [row[:1] for row in users] == [(1,)]
    assert "2025-01-01" in str(users[0][1])
    assert [path for row in found["pageviews"] for path in row if path in {"/", "/again"}] == [
        "/again"
    ]
    assert len(found["pageviews"]) == 3
    assert len(found["signup"]) == 1


def test_what_dagster_knew_stays(earlier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = run(earlier, "status", "--json").json()
    assert (status["dumps_known"], status["dumps_taken"], status["dumps_pending"]) == (3, 3, 0)
    monkeypatch.setenv("DAGSTER_HOME", str(earlier))
    with dg.DagsterInstance.from_config(str(earlier)) as instance:
        assert set(instance.get_dynamic_partitions("csq_dumps")) == {"12", "13", "14"}
        raw = dg.AssetKey(["csq", "raw", "pageviews"])
        assert set(instance.get_materialized_partitions(raw)) == {"12", "13", "14"}


def test_a_lake_of_a_later_version_is_refused(earlier: Path) -> None:
    (earlier / "data" / "warehouse.duckdb").unlink()
    document = earlier / "data" / "lake" / "lake.json"
    later = {**json.loads(document.read_bytes()), "format": 2}
    document.write_text(json.dumps(later))
    for command in ("sync", "rebuild"):
        ran = run(earlier, command)
        assert ran.code == 1
        assert "has format 2, this version of csq_assets knows 1" in ran.stderr
        assert "Traceback" not in ran.stderr
