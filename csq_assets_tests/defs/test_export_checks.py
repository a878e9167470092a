"""The checks on what Contentsquare delivers, executed from the UI."""

from datetime import timedelta

import dagster as dg

from csq_assets.aws import s3_client
from csq_assets.defs.external_assets import build_external_assets
from csq_assets.defs.keys import Keys
from csq_assets.lake.discovery import discover
from csq_assets.lake.locations import open_export
from csq_assets_tests.platform import KEYS, Platform


def test_selected_checks_on_the_export_are_evaluated(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.export.put_manifest(13, b"{")
    checks = [
        dg.AssetCheckKey(KEYS.sync_reports, "sync_succeeded"),
        dg.AssetCheckKey(KEYS.manifests, "manifest_readable"),
    ]
    job = dg.define_asset_job("asked", selection=dg.AssetSelection.checks(*checks))
    defs = dg.Definitions.merge(platform.definitions(), dg.Definitions(jobs=[job]))
    result = defs.resolve_job_def("asked").execute_in_process(instance=platform.instance)
    found = {one.asset_check_key: one.passed for one in result.get_asset_check_evaluations()}
    assert found == {checks[0]: True, checks[1]: False}


def test_the_newest_report_and_the_manifests_are_materialized_when_they_change(
    platform: Platform,
) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    platform.sync()
    platform.deliver(13, users=[{"user_id": 2}])
    platform.export.report("2026-03-02", status="failed", error="no disk")
    # What the UI looks at, or a pass that is killed, was not recorded by anybody.
    discover(
        open_export(platform.settings.export_url, "manifests/", s3_client), platform.lake.documents
    )
    platform.sync()
    assert materialized(platform, KEYS.sync_reports) == [
        "sync_reports/2026-03-02.json: failed",
        "sync_reports/2026-03-01.json: succeeded",
    ]
    assert materialized(platform, KEYS.manifests) == [
        "2 dumps, the newest is 13",
        "1 dumps, the newest is 12",
    ]


def materialized(platform: Platform, key: dg.AssetKey) -> list[str | None]:
    """What is said of each materialization, newest first."""
    found = platform.instance.fetch_materializations(key, limit=9).records
    return [one.asset_materialization.description for one in found if one.asset_materialization]


def test_reports_are_fresh_for_an_hour_longer_than_the_usual_interval() -> None:
    keys, day = Keys(), timedelta(days=1)
    url = "s3://customer"
    assert [
        spec.freshness_policy
        for interval in (day, None)
        for spec in build_external_assets(keys, export_url=url, sync_interval=interval)
    ] == [
        dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=25)),
        None,
        None,
        None,
    ]
