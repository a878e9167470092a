"""The repository's project where little is delivered yet, or nothing."""

import pytest

from csq_assets_tests.marts.project import dbt
from csq_assets_tests.platform import Platform

BUILD = ("build", "--exclude-resource-type", "unit_test", "--select", "+dim_users", "+funnel")


@pytest.mark.slow
def test_what_was_not_delivered_is_null_or_without_rows(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1, "plan": "pro", "events": "many"}])
    platform.sync()
    built = dbt(platform.folder, *BUILD, CSQ_DUCKDB_PATH=str(platform.settings.duckdb_path))
    assert built.code == 0, built.stdout
    (user,) = platform.rows("dim_users", "marts")
    assert {name: value for name, value in user.items() if value is not None} == {
        "user_id": 1,
        "has_profile": True,
        "events": 0,  # the measure, and not the property of that name
        "pageviews": 0,
        "sessions": 0,
        "plan": "pro",
    }
    assert [row["users"] for row in platform.rows("funnel", "marts")] == [0, 0, 0, 0]


@pytest.mark.slow
def test_a_file_that_was_never_synced_is_told(platform: Platform) -> None:
    path = platform.folder / "nothing.duckdb"
    built = dbt(platform.folder, "run", "--select", "stg_users", CSQ_DUCKDB_PATH=str(path))
    assert built.code == 1
    assert "there is no schema csq_typed in nothing. Run csq sync first" in built.stdout
