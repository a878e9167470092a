"""What the UI shows of current tables, and what executing their checks alone does."""

import dagster as dg
import duckdb
import pytest

from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.table_refresh import drop_table
from csq_assets_tests.platform import KEYS, Platform

USERS = KEYS.current("users")
PAGEVIEWS = KEYS.current("pageviews")


@pytest.fixture
def synced(platform: Platform) -> Platform:
    platform.deliver(
        12,
        users=[{"user_id": 1, "plan": "free"}, {"user_id": 2, "plan": "pro"}],
        pageviews=[{"user_id": 1, "event_id": 7, "path": "/"}],
        user_migrations=[{"from_user_id": 1, "to_user_id": 2}],
    )
    platform.sync()
    return platform


def execute_checks(platform: Platform, *checks: dg.AssetCheckKey) -> dg.ExecuteInProcessResult:
    job = dg.define_asset_job("asked", selection=dg.AssetSelection.checks(*checks))
    defs = dg.Definitions.merge(platform.definitions(), dg.Definitions(jobs=[job]))
    return defs.resolve_job_def("asked").execute_in_process(
        instance=platform.instance, raise_on_error=False
    )


def found(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], tuple[bool, str | None]]:
    return {
        (one.asset_key.to_user_string(), one.check_name): (one.passed, one.description)
        for one in result.get_asset_check_evaluations()
    }


def metadata(platform: Platform, key: dg.AssetKey) -> dict[str, object]:
    event = platform.instance.get_latest_materialization_event(key)
    assert event is not None
    assert event.asset_materialization is not None
    return {name: one.value for name, one in event.asset_materialization.metadata.items()}


def shown_columns(platform: Platform, key: dg.AssetKey) -> dict[str, str]:
    schema = metadata(platform, key)["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    return {column.name: column.type for column in schema.columns}


def test_each_has_its_columns_and_its_name_in_duckdb(synced: Platform) -> None:
    assert shown_columns(synced, USERS) == {
        "user_id": "BIGINT",
        "plan": "VARCHAR",
        "_dump_id": "BIGINT",
    }
    assert shown_columns(synced, KEYS.user_identity) == {
        "from_user_id": "BIGINT",
        "user_id": "BIGINT",
    }
    assert list(shown_columns(synced, KEYS.all_events))[:3] == ["user_id", "event_id", "session_id"]
    assert [metadata(synced, key)["dagster/table_name"] for key in (USERS, KEYS.user_identity)] == [
        "csq.users",
        "csq_meta.user_identity",
    ]


def test_the_lineage_of_columns_leads_to_raw_tables(synced: Platform) -> None:
    lineage = metadata(synced, PAGEVIEWS)["dagster/column_lineage"]
    assert isinstance(lineage, dg.TableColumnLineage)
    assert set(lineage.deps_by_column) == set(shown_columns(synced, PAGEVIEWS))
    schema = metadata(synced, PAGEVIEWS)["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert [column.description for column in schema.columns][-3:] == [
        "The path of the page. From path in csq/raw/pageviews.",
        "The user_id as delivered, before it was resolved. From user_id in csq/raw/pageviews.",
        (
            "The dump that delivered the row; of a merged user, the newest one. "
            "From \\_dump_id in csq/raw/pageviews."
        ),
    ]
    assert [
        (dep.asset_key.to_user_string(), dep.column_name)
        for dep in lineage.deps_by_column["user_id"]
    ] == [("csq/raw/pageviews", "user_id"), ("csq/user_identity", "user_id")]


def test_each_says_how_far_it_is_and_what_it_lost(synced: Platform) -> None:
    synced.deliver(13, users=[{"user_id": 3}])
    synced.sync()
    found = metadata(synced, USERS)
    assert {name: found[name] for name in ("newest_dump", "dumps_held", "columns_removed")} == {
        "newest_dump": 13,
        "dumps_held": 0,
        "columns_removed": ["plan"],
    }
    assert found["newest_partition"] == (
        "[csq/raw/users, dump 13](/assets/csq/raw/users?view=partitions&partition=13)"
    )


def test_checks_alone_judge_the_whole_table_as_it_stands(synced: Platform) -> None:
    checks = [
        dg.AssetCheckKey(PAGEVIEWS, "unique_key"),
        dg.AssetCheckKey(PAGEVIEWS, "rows_reconcile"),
        dg.AssetCheckKey(KEYS.user_identity, "migrations_resolve"),
    ]
    result = execute_checks(synced, *checks)
    assert result.success
    assert found(result) == {
        ("csq/current/pageviews", "unique_key"): (True, "every key in the table occurs once"),
        ("csq/current/pageviews", "rows_reconcile"): (
            True,
            "1 rows delivered, 1 kept, 0 dropped as duplicates",
        ),
        ("csq/user_identity", "migrations_resolve"): (True, "every pair leads to one user"),
    }
    assert result.get_asset_materialization_events() == []


def test_a_key_that_occurs_twice_is_found_by_executing_the_check(synced: Platform) -> None:
    with duckdb.connect(str(synced.settings.duckdb_path)) as connection:
        connection.execute(
            "INSERT INTO csq_rows.pageviews SELECT * EXCLUDE (user_id) FROM csq_rows.pageviews"
        )
    result = execute_checks(synced, dg.AssetCheckKey(PAGEVIEWS, "unique_key"))
    assert [passed for passed, _ in found(result).values()] == [False]
    status = synced.csq("status", "--json").json()
    assert "unique_key" in str(status)


def test_checks_of_a_table_that_nobody_refreshed_find_nothing_wrong(platform: Platform) -> None:
    result = execute_checks(platform, dg.AssetCheckKey(USERS, "unique_key"))
    assert result.success
    assert [passed for passed, _ in found(result).values()] == [True]


@pytest.mark.parametrize("plain_duckdb", [False, True])
def test_an_event_table_refreshed_alone_is_in_all_events(
    synced: Platform, *, plain_duckdb: bool
) -> None:
    synced.deliver(13, clicks=[{"user_id": 2, "event_id": 8}])
    synced.sync()
    with open_warehouse(synced.settings.duckdb_path) as connection:
        drop_table(connection, "clicks")
    job = dg.define_asset_job("asked", selection=dg.AssetSelection.assets(KEYS.current("clicks")))
    own = synced.definitions(plain_duckdb=plain_duckdb)
    defs = dg.Definitions.merge(own, dg.Definitions(jobs=[job]))
    assert defs.resolve_job_def("asked").execute_in_process(instance=synced.instance).success
    events = {(row["event_table_name"], row["event_id"]) for row in synced.rows("all_events")}
    assert events == {("pageviews", 7), ("clicks", 8)}
