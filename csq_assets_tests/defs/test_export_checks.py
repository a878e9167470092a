"""The checks on what Contentsquare delivers, executed from the UI."""

import dagster as dg

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
