"""The code location with CSQ_ENGINE=spark: the same assets, and what it refuses by name."""

import sys
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from csq_assets.defs.build import build_definitions
from csq_assets.errors import SettingsError, UsageError
from csq_assets.forgetting import run_forget
from csq_assets.pipeline.applied_documents import AppliedDocuments, AppliedRelation
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.pipeline.planner import planner_of
from csq_assets.pipeline.spark_refresh import SparkRefresh
from csq_assets.settings import Settings
from csq_assets.spark.messages import Answer, RefreshEvents, Work
from csq_assets.sync import run_rebuild
from csq_assets_tests.platform import KEYS, Listener, Platform, tick

TABLES = ("users", "pageviews", "user_migrations")


def definitions(platform: Platform, engine: str) -> dg.Definitions:
    return build_definitions(replace(platform.settings, engine=engine), TABLES)


def shape(defs: dg.Definitions) -> dict[str, tuple[object, ...]]:
    graph = defs.resolve_asset_graph()
    return {
        key.to_user_string(): (
            sorted(check.name for check in graph.get(key).check_keys),
            sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            graph.get(key).partitions_def is not None,
        )
        for key in graph.get_all_asset_keys()
    }


def test_assets_checks_and_partitions_are_the_same(platform: Platform) -> None:
    assert shape(definitions(platform, "spark")) == shape(definitions(platform, "duckdb"))


def test_maintenance_has_a_schedule(platform: Platform) -> None:
    (schedule,) = definitions(platform, "spark").schedules or []
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert schedule.job_name == "csq_maintenance"
    assert not definitions(platform, "duckdb").schedules


def test_dagster_knows_no_spark(platform: Platform) -> None:
    definitions(platform, "spark")
    assert "pyspark" not in sys.modules


@pytest.mark.parametrize(
    "variable", ["CSQ_DUCKDB_SNAPSHOT_PATH", "CSQ_PUBLISH_URL", "CSQ_TYPES", "CSQ_DBT_PROJECT"]
)
def test_what_only_duckdb_does_is_refused(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dbt_project.yml").touch()
    given = {variable: "." if variable == "CSQ_DBT_PROJECT" else "there"}
    with pytest.raises(SettingsError, match="CSQ_ENGINE is spark") as refused:
        Settings.from_environment({**given, "CSQ_ENGINE": "spark"})
    assert refused.value.where == {"setting": variable}


def test_forgetting_and_accepting_a_lake_are_refused(platform: Platform) -> None:
    settings = replace(platform.settings, engine="spark")
    with pytest.raises(UsageError, match="csq forget cannot take anybody out of Iceberg tables"):
        run_forget(settings, platform.instance, Listener(), [1])
    with pytest.raises(UsageError, match="there is none to accept"):
        run_rebuild(settings, platform.instance, Listener(), accept_lake=True)


def test_ticks_ask_for_a_refresh_until_jobs_have_applied_what_counts(platform: Platform) -> None:
    platform.export.report("2026-03-01")
    platform.deliver(8, users=[{"user_id": 1}])
    platform.sync()
    settings = replace(platform.settings, engine="spark")

    def ticked() -> object:
        return tick(platform.instance, build_definitions(settings, TABLES))

    asked = ticked()
    assert isinstance(asked, dg.SensorResult)
    assert [request.job_name for request in asked.run_requests or []] == [KEYS.current_job]

    applied = AppliedDocuments(platform.lake)  # as jobs leave them
    planner = planner_of(settings, platform.lake, platform.settings.duckdb_path)
    applied.save(AppliedRelation("", {}))
    for table, contents in EffectiveDumps(platform.lake, planner.state()).contents.items():
        applied.save(AppliedRelation(table, contents))
    asked = ticked()
    assert isinstance(asked, dg.SensorResult)
    assert asked.skip_reason is not None
    assert (asked.run_requests, asked.skip_reason.skip_message) == ([], "nothing new")


def test_a_table_that_is_skipped_keeps_its_events(platform: Platform) -> None:
    platform.export.report("2026-03-01")
    platform.deliver(8, pageviews=[{"event_id": 1}], purchases=[{"event_id": 2}])
    platform.sync()
    AppliedDocuments(platform.lake).save(AppliedRelation("purchases", {}))
    asked: list[Work] = []

    def launch(work: Work) -> Answer:
        asked.append(work)
        return Answer(work.kind)

    effective = EffectiveDumps(platform.lake, platform.lake.state("purchases".__eq__))
    SparkRefresh(platform.lake, effective, launch).count_events()
    assert asked == [RefreshEvents(("pageviews", "purchases"))]


def test_current_tables_are_not_loaded_here(platform: Platform) -> None:
    with pytest.raises(UsageError, match="csq/current/users is an Iceberg table"):
        definitions(platform, "spark").load_asset_value(
            ["csq", "current", "users"], instance=platform.instance
        )


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("/no/such/spark-submit --master x", "there is no command /no/such/spark-submit"),
        ("false", "the job on Spark failed"),
        ("true", "0 messages came, and none is an answer"),
    ],
)
def test_a_job_that_gives_no_answer_is_told(platform: Platform, command: str, said: str) -> None:
    platform.deliver(8, users=[{"user_id": 1}])
    broken = replace(
        platform, settings=replace(platform.settings, engine="spark", spark_submit=command)
    )
    summary = broken.sync()
    assert summary.exit_code == 1
    assert [error for error in summary.errors if said in error], summary.errors
    assert not (platform.settings.duckdb_path).exists()
