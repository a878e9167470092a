"""A lake that is not the one that the DuckDB file was filled from is refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from csq_assets.errors import SettingsError
from csq_assets_tests.platform import Platform


@pytest.fixture
def filled(platform: Platform) -> Platform:
    platform.deliver(12, users=[{"user_id": 1}], property_definitions={"a": 1})
    platform.deliver(13, users=[{"user_id": 2}])
    assert platform.sync().errors == ()
    return platform


def rows(platform: Platform) -> list[int]:
    return [row["user_id"] for row in platform.rows("users")]


def test_a_lake_at_another_place_is_refused_and_nothing_is_lost(
    filled: Platform, tmp_path: Path
) -> None:
    snapshot = tmp_path / "snapshot.duckdb"
    filled.csq("sync", CSQ_DUCKDB_SNAPSHOT_PATH=str(snapshot))
    before = snapshot.read_bytes()
    for command in ("sync", "rebuild"):
        ran = filled.csq(
            command, CSQ_LAKE_URL=str(tmp_path / "typo"), CSQ_DUCKDB_SNAPSHOT_PATH=str(snapshot)
        )
        assert ran.code == 2
        assert ran.stderr.startswith(
            f"csq: setting CSQ_LAKE_URL: {tmp_path / 'typo'} is not the lake that the DuckDB file"
        )
    assert rows(filled) == [1, 2]
    assert snapshot.read_bytes() == before


def test_a_lake_that_knows_less_is_refused(filled: Platform) -> None:
    shutil.rmtree(Path(filled.settings.lake_url) / "ledger")
    filled.export.delete("manifests/sync_12.json")
    for refused in (filled.sync, filled.rebuild):
        with pytest.raises(
            SettingsError, match="knows nothing of 2 dumps that the DuckDB file has"
        ):
            refused()
    assert rows(filled) == [1, 2]


def test_a_step_that_a_person_starts_refuses_it_too(filled: Platform, tmp_path: Path) -> None:
    other = replace(filled, settings=replace(filled.settings, lake_url=str(tmp_path / "typo")))
    result = (
        other.definitions()
        .resolve_job_def("csq_current")
        .execute_in_process(
            instance=filled.instance,
            asset_selection=[dg.AssetKey(["csq", "current", "users"])],
            raise_on_error=False,
        )
    )
    assert not result.success
    assert rows(filled) == [1, 2]


def test_another_lake_is_taken_where_a_person_accepts_it(filled: Platform, tmp_path: Path) -> None:
    lake = tmp_path / "new"
    again = filled.csq("sync", CSQ_LAKE_URL=str(lake), CSQ_DUCKDB_PATH=str(tmp_path / "x.duckdb"))
    assert again.code == 0, again.stderr
    ran = filled.csq("rebuild", "--accept-lake", CSQ_LAKE_URL=str(lake))
    assert ran.code == 0, ran.stderr
    assert rows(filled) == [1, 2]
    assert filled.csq("sync", CSQ_LAKE_URL=str(lake)).code == 0
    assert filled.csq("sync").code == 2

    empty = tmp_path / "empty"
    ran = filled.csq("rebuild", "--accept-lake", CSQ_LAKE_URL=str(empty))
    assert ran.code == 0, ran.stderr
    assert filled.relations() == {"all_events"}
