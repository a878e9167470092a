"""The repository's project over the sample export: through Dagster, then by hand."""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from csq_assets_tests.defs.test_sensor import Daemon
from csq_assets_tests.marts.project import PROJECT, dbt
from csq_assets_tests.platform import KEYS, Platform

MARTS = (
    "attribution",
    "daily_active_users",
    "dim_users",
    "fct_events",
    "fct_sessions",
    "funnel",
    "retention",
)
ROWS_AND_TESTS = "PASS=33 WARN=0 ERROR=0 SKIP=0"  # models, tests, and answers worked out by hand


def marts_of(platform: Platform) -> dict[str, list[dict[str, Any]]]:
    return {mart: platform.rows(mart, "marts") for mart in MARTS}


def active_by_day(platform: Platform) -> dict[str, set[int]]:
    active: dict[str, set[int]] = defaultdict(set)
    for event in platform.rows("all_events"):
        active[event["time"][:10]].add(event["user_id"])
    return active


@pytest.mark.slow
def test_the_marts_follow_each_refresh_and_are_the_same_by_hand(sampled: Platform) -> None:
    platform = replace(sampled, settings=replace(sampled.settings, dbt_project=PROJECT))
    folder = Path.cwd()
    summary = platform.sync()
    assert Path.cwd() == folder
    assert (summary.errors, summary.exit_code) == ((), 0)
    checks = {(one.asset, one.check) for one in summary.checks}
    assert {
        ("csq/current/sessions", "csq_sessions_unique"),
        ("csq/marts/dim_users", "unique_dim_users_user_id"),
    } <= checks

    built = marts_of(platform)
    assert [
        (str(row["event_date"]), row["active_users"]) for row in built["daily_active_users"]
    ] == sorted((day, len(users)) for day, users in active_by_day(platform).items())
    assert len(built["fct_sessions"]) == len(platform.rows("sessions"))
    assert [row["user_id"] for row in built["dim_users"]] == [
        row["user_id"] for row in platform.rows("users")
    ]

    runs = platform.instance.get_runs_count()
    assert (platform.sync().exit_code, platform.instance.get_runs_count()) == (0, runs)
    assert Daemon(platform).tick().run_requests == []

    file = str(platform.settings.duckdb_path)
    by_hand = dbt(platform.folder, "build", CSQ_DUCKDB_PATH=file)
    assert ROWS_AND_TESTS in by_hand.stdout, by_hand.stdout
    assert marts_of(platform) == built

    defs = platform.definitions()
    loaded = defs.load_asset_value(["csq", "marts", "funnel"], instance=platform.instance)
    assert isinstance(loaded, pl.DataFrame)
    assert loaded.sort("step_number").to_dicts() == built["funnel"]

    upstream = dg.AssetSelection.assets(KEYS.mart("attribution")).upstream()
    assert {KEYS.raw("sessions"), KEYS.current("sessions")} <= upstream.resolve(
        defs.resolve_asset_graph()
    )
    # With a current table in one run of one process, which would keep the file from dbt.
    job = defs.resolve_implicit_global_asset_job_def()
    both = job.execute_in_process(
        instance=platform.instance,
        asset_selection=[KEYS.current("users"), KEYS.mart("stg_users")],
    )
    assert both.success
    assert {event.asset_key for event in both.get_asset_materialization_events()} == {
        KEYS.current("users"),
        KEYS.mart("stg_users"),
    }
    jobs = {job.name for job in defs.get_repository_def().get_all_jobs()}  # as a server loads them
    assert {"csq_marts", "csq_raw", "csq_current"} <= jobs
