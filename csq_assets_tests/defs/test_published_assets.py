"""Publication as a pass has it: runs of its own, after the refresh."""

from dataclasses import asdict, replace
from pathlib import Path

import dagster as dg
import pytest

from csq_assets.dataconnect.relation import Relation
from csq_assets.defs.alerts import failing_refreshes, lasting_failures
from csq_assets.defs.recovery import tables_of_broken_refresh
from csq_assets.publish.open import folder_of
from csq_assets.settings import Settings
from csq_assets.status import read_status
from csq_assets.sync import run_rebuild, run_sync
from csq_assets_tests.defs.test_sensor import Daemon
from csq_assets_tests.platform import KEYS, Platform
from csq_assets_tests.platform import Listener as Silent

USERS = [{"user_id": 1, "plan": "free"}, {"user_id": 2, "plan": "pro"}]


@pytest.fixture(params=["iceberg", "parquet"])
def settings(request: pytest.FixtureRequest, platform: Platform, tmp_path: Path) -> Settings:
    return replace(
        platform.settings, publish_url=str(tmp_path / "tables"), publish_format=request.param
    )


def materialized(platform: Platform, table: str) -> list[dict[str, object]]:
    """What the UI says of each publication, oldest first."""
    found = platform.instance.fetch_materializations(
        dg.AssetKey(["csq", "published", table]), limit=20
    ).records
    return [
        {name: value.value for name, value in one.asset_materialization.metadata.items()}
        for one in reversed(found)
        if one.asset_materialization
    ]


def test_a_pass_publishes_what_it_changed(platform: Platform, settings: Settings) -> None:
    platform.deliver(1, users=USERS, full_resync=True)
    listener = Silent()
    assert run_sync(settings, platform.instance, listener).exit_code == 0
    assert ("publishing", 1) in listener.announced
    first = materialized(platform, "users")
    assert run_sync(settings, platform.instance, Silent()).exit_code == 0
    assert materialized(platform, "users") == first
    platform.deliver(2, users=[{"user_id": 2, "plan": "free"}])
    assert run_sync(settings, platform.instance, Silent()).exit_code == 0
    said = materialized(platform, "users")[-1]
    assert {name: said[name] for name in ("dagster/row_count", "newest_dump", "files_written")} == {
        "dagster/row_count": 2,
        "newest_dump": 2,
        "files_written": 1,
    }
    assert str(said["dagster/uri"]).startswith(f"{folder_of(settings)}/users/")
    assert run_rebuild(settings, platform.instance, Silent()).exit_code == 0
    assert materialized(platform, "users")[-1]["files_written"] == 0


def test_a_catalog_that_is_away_leaves_the_refresh_good(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYICEBERG_CATALOG__DEFAULT__URI", "http://127.0.0.1:9/catalog")
    monkeypatch.setenv("PYICEBERG_CATALOG__DEFAULT__CREDENTIAL", "who:a-very-secret-word")
    platform.deliver(1, users=USERS, full_resync=True)
    ran = platform.csq("sync", "--json", CSQ_PUBLISH_URL=str(tmp_path / "tables"))
    assert ran.code == 1
    (error,) = ran.json()["errors"]
    assert error.startswith("setting CSQ_PUBLISH_URL: the catalog cannot be opened: ")
    assert "PYICEBERG_CATALOG__DEFAULT__URI" in error
    assert "a-very-secret-word" not in ran.stdout + ran.stderr
    assert len(platform.rows("users")) == 2
    doctor = platform.csq("doctor", CSQ_PUBLISH_URL=str(tmp_path / "tables"))
    assert (doctor.code, "FAIL published tables: " in doctor.stderr) == (1, True)
    monkeypatch.delenv("PYICEBERG_CATALOG__DEFAULT__URI")
    monkeypatch.delenv("PYICEBERG_CATALOG__DEFAULT__CREDENTIAL")
    ran = platform.csq("sync", CSQ_PUBLISH_URL=str(tmp_path / "tables"))
    assert ran.code == 0, ran.stderr
    assert materialized(platform, "users")[-1]["dagster/row_count"] == 2


def test_one_table_that_fails_leaves_the_others_alone(platform: Platform, tmp_path: Path) -> None:
    settings = replace(platform.settings, publish_url=str(tmp_path), publish_format="parquet")
    tables = tmp_path / "parquet"
    platform.deliver(1, users=USERS, notes=[{"text": "a"}])
    tables.mkdir()
    (tables / "notes").write_text("in the way")
    summary = run_sync(settings, platform.instance, Silent())
    assert (summary.exit_code, len(summary.errors)) == (1, 1)
    assert materialized(platform, "users")[-1]["dagster/row_count"] == 2
    (condition,) = failing_refreshes(platform.instance, KEYS)
    assert condition.subject == "published tables"
    (failed,) = read_status(settings).failed_assets
    assert (failed.asset, failed.error) == ("csq/published/notes", summary.errors[0])
    assert platform.csq("status", "--json").json()["failed_assets"] == [asdict(failed)]
    assert "1 problem needs action." in platform.csq("report", "--out", "-").stderr
    (tables / "notes").unlink()
    assert run_sync(settings, platform.instance, Silent()).exit_code == 0
    assert list(failing_refreshes(platform.instance, KEYS)) == []
    assert read_status(settings).failed_assets == ()
    assert len(materialized(platform, "users")) == 1
    assert materialized(platform, "notes")[-1]["dagster/row_count"] == 1


def test_what_is_published_no_more_is_told_no_more(platform: Platform, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    tables.write_text("in the way")
    settings = replace(platform.settings, publish_url=str(tables), publish_format="parquet")
    platform.deliver(1, users=USERS, notes=[{"text": "a"}])
    settings = replace(settings, key_prefix="eu")
    assert len(run_sync(settings, platform.instance, Silent()).errors) == 1  # one cause, told once
    assert {one.asset for one in read_status(settings).failed_assets} == {
        "eu/published/notes",
        "eu/published/users",
    }
    assert len(list(lasting_failures(platform.instance, settings))) == 1
    settings = replace(settings, publish_url=None)
    assert list(lasting_failures(platform.instance, settings)) == []
    assert run_sync(settings, platform.instance, Silent()).errors == ()
    assert read_status(settings).failed_assets == ()


def test_the_sensor_forgets_what_is_published_no_more(platform: Platform) -> None:
    platform.deliver(1, users=USERS)
    platform.sync()
    failed = Relation("csq/published/users", problem="the disk is full")
    platform.lake.documents.save_relation(failed)
    assert Daemon(platform).tick().run_requests == []
    assert read_status(platform.settings).failed_assets == ()


def test_what_no_dump_lists_any_more_is_removed(platform: Platform, settings: Settings) -> None:
    platform.deliver(1, users=USERS, notes=[{"text": "a"}])
    assert run_sync(settings, platform.instance, Silent()).exit_code == 0
    folder = Path(folder_of(settings)) / "notes"
    assert [file for file in folder.rglob("*.parquet") if file.is_file()] != []
    platform.deliver(1, users=USERS)
    assert run_sync(settings, platform.instance, Silent()).exit_code == 0
    assert [file for file in folder.rglob("*") if file.is_file()] == []


def test_a_refresh_that_was_killed_is_seen_behind_a_publication(
    platform: Platform, tmp_path: Path
) -> None:
    settings = replace(platform.settings, publish_url=str(tmp_path), publish_format="parquet")
    platform.deliver(1, users=USERS)
    run_sync(settings, platform.instance, Silent())
    runs = platform.instance.get_runs(dg.RunsFilter(job_name=KEYS.current_job))
    assert [run.tags.get("csq/refresh") == "publication" for run in runs] == [True, False]
    platform.instance.report_run_failed(runs[1])
    assert tables_of_broken_refresh(platform.instance, KEYS, ["users"]) == {"users"}
