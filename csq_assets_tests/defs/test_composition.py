"""The definitions beside those of another project, in one code location."""

import dagster as dg
from dagster_aws.s3 import S3Resource

from csq_assets.defs.build import build_definitions
from csq_assets.settings import Settings
from csq_assets_tests.platform import Platform

KEPT: dict[str, object] = {}


class OwnIOManager(dg.IOManager):
    """The default IO manager of the other project."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        KEPT[context.asset_key.to_user_string()] = obj

    def load_input(self, context: dg.InputContext) -> object:
        return KEPT[context.asset_key.to_user_string()]


@dg.asset
def plain() -> int:
    return 7


@dg.executor(name="own", requirements=[])
def own_executor(_context: dg.InitExecutorContext) -> dg.Executor:
    raise NotImplementedError("never started in this process")


def merged(platform: Platform) -> dg.Definitions:
    other = dg.Definitions(
        assets=[plain],
        jobs=[dg.define_asset_job("other", selection=[plain])],
        resources={"io_manager": OwnIOManager(), "lake": 7},
        executor=own_executor,
    )
    return dg.Definitions.merge(platform.definitions(), other)


def test_no_executor_and_no_resource_of_another_project_is_taken(platform: Platform) -> None:
    defs = merged(platform)
    assert defs.resolve_job_def("other").executor_def is own_executor
    for job in ("csq_raw", "csq_current"):
        assert defs.resolve_job_def(job).executor_def is dg.in_process_executor
    assert {key for key in defs.resources or {} if not key.startswith("csq_")} == {
        "io_manager",
        "lake",
    }


def test_a_plain_asset_keeps_its_own_io_manager_and_ours_still_work(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    defs, instance = merged(platform), platform.instance
    assert defs.resolve_job_def("other").execute_in_process(instance=instance).success
    assert KEPT == {"plain": 7}
    raw = defs.resolve_job_def("csq_raw").execute_in_process(
        instance=instance,
        partition_key="12",
        asset_selection=[dg.AssetKey(["csq", "raw", "users"])],
    )
    assert raw.success
    assert KEPT == {"plain": 7}


def test_resources_of_the_libraries_can_be_given() -> None:
    s3 = S3Resource(region_name="eu-west-1", profile_name="export")
    resources = build_definitions(Settings.from_environment({}), ("users",), s3=s3).resources or {}
    assert resources["csq_s3"] is s3
    assert resources["csq_export"].s3 is s3
    assert resources["csq_lake"].s3 is s3
