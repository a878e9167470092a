"""What a person does in the UI: materialize a partition or a range, execute checks, load."""

import dagster as dg
import polars as pl
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from csq_assets.defs.keys import CSQ_DUMPS, raw_key
from csq_assets.defs.raw_assets import RAW_JOB
from csq_assets.errors import StorageError
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.platform import Platform

USERS = raw_key("users")


def run(
    platform: Platform,
    *tables: str,
    partition: str | None = None,
    span: tuple[str, str] | None = None,
    checks: list[dg.AssetCheckKey] | None = None,
) -> dg.ExecuteInProcessResult:
    tags = (
        {}
        if span is None
        else {
            "dagster/asset_partition_range_start": span[0],
            "dagster/asset_partition_range_end": span[1],
        }
    )
    assets = dg.AssetSelection.assets(*map(raw_key, tables))
    job = dg.define_asset_job(
        "asked", selection=dg.AssetSelection.checks(*checks) if checks else assets
    )
    defs = dg.Definitions.merge(platform.definitions(), dg.Definitions(jobs=[job]))
    return defs.resolve_job_def("asked").execute_in_process(
        instance=platform.instance, partition_key=partition, tags=tags, raise_on_error=False
    )


def failed_partitions(platform: Platform, table: str) -> set[str]:
    status = get_and_update_asset_status_cache_value(platform.instance, raw_key(table), CSQ_DUMPS)
    assert status is not None
    subset = status.deserialize_failed_partition_subsets(CSQ_DUMPS)
    return set(subset.get_partition_keys())


def test_a_partition_is_materialized_again_with_the_same_rows(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}, {"user_id": 2}])
    platform.sync()
    before = platform.raw("users", 12)
    result = run(platform, "users", partition="12")
    assert result.success
    assert platform.raw("users", 12).equals(before)
    (materialization,) = result.asset_materializations_for_node("csq_decode")
    assert materialization.partition == "12"


def test_a_waiting_dump_is_taken_by_materializing_it(platform: Platform) -> None:
    platform.export.report("2026-03-01", status="failed")
    platform.export.deliver(12, users=[{"user_id": 1}])
    assert platform.sync().waiting == (12,)
    assert run(platform, "users", partition="12").success
    assert platform.partitions() == {("users", 12)}


def test_a_range_decodes_each_of_its_dumps(platform: Platform) -> None:
    for dump_id in (9, 10, 11):
        platform.deliver(dump_id, users=[{"user_id": dump_id}])
    platform.sync()
    for dump_id in (9, 10, 11):
        platform.lake.store.delete("users", dump_id)
    result = run(platform, "users", span=("9", "10"))
    assert result.success
    assert platform.partitions() == {("users", 9), ("users", 10)}
    evaluations = {(one.check_name, one.partition) for one in result.get_asset_check_evaluations()}
    assert ("column_drift", "9") in evaluations


def test_a_table_that_the_dump_does_not_list_is_skipped_with_a_word(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    result = run(platform, "users", "sessions", partition="12")
    assert result.success
    said = [event.user_message for event in platform.instance.all_logs(result.run_id)]
    assert "dump 12 does not list sessions: nothing to decode" in said
    assert platform.partitions() == {("users", 12)}


def test_the_metadata_tell_rows_files_bytes_and_columns(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1, "plan": "x"}, {"user_id": 2, "plan": "y"}])
    platform.sync()
    event = platform.instance.get_latest_materialization_event(USERS)
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    assert set(metadata) == {
        "dagster/row_count",
        "dagster/column_schema",
        "files",
        "bytes_read",
        "bytes_written",
        "seconds",
        "incremental",
        "location",
    }
    location = metadata["location"].value
    assert (metadata["dagster/row_count"].value, metadata["files"].value) == (2, 1)
    assert isinstance(location, str)
    assert pl.read_parquet(location)["user_id"].to_list() == [1, 2]
    schema = metadata["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    assert [(column.name, column.type, column.description) for column in schema.columns] == [
        ("user_id", "Int64", "Avro: long"),
        ("plan", "String", "Avro: string"),
        ("_dump_id", "Int64", None),
        ("_source_file", "String", None),
        ("_source_row", "Int64", None),
    ]


@pytest.mark.edge(24)
def test_a_partition_that_fails_shows_as_failed_and_the_others_do_not(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], sessions=[{"user_id": 1, "session_id": 1}])
    platform.deliver(13, users=[AvroFile(body=b"")], columns={"users": ["user_id"]})
    platform.sync()
    assert failed_partitions(platform, "users") == {"13"}
    assert failed_partitions(platform, "sessions") == set()
    (run,) = platform.instance.get_runs(dg.RunsFilter(job_name=RAW_JOB))
    assert run.status == dg.DagsterRunStatus.FAILURE


def test_checks_alone_can_be_executed(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.deliver(13, users=[{"user_id": 1, "plan": "x"}])
    platform.sync()
    result = run(platform, checks=[dg.AssetCheckKey(USERS, "column_drift")])
    assert result.success
    (evaluation,) = result.get_asset_check_evaluations()
    assert (evaluation.check_name, evaluation.partition, evaluation.description) == (
        "column_drift",
        "13",
        'dump 13 adds "plan"',
    )


def test_a_partition_loads_as_a_lazy_frame_where_that_is_asked_for(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    loaded = platform.definitions().load_asset_value(
        USERS, partition_key="12", instance=platform.instance, python_type=pl.LazyFrame
    )
    assert isinstance(loaded, pl.LazyFrame)
    assert loaded.select("user_id").collect()["user_id"].to_list() == [1]


def test_a_partition_that_is_not_there_says_so(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    platform.lake.store.delete("users", 12)
    with pytest.raises(StorageError, match="dump 12, table users: there is no such partition"):
        platform.raw("users", 12)


def test_loading_without_a_partition_says_what_is_missing(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    with pytest.raises(ValueError, match="is partitioned by dump"):
        platform.definitions().load_asset_value(USERS, instance=platform.instance)


def test_a_partition_that_a_person_added_and_is_no_dump_is_told(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    platform.instance.add_dynamic_partitions("csq_dumps", ["latest"])
    result = run(platform, "users", partition="latest")
    assert not result.success
    (failure,) = [event.step_failure_data for event in result.filter_events(is_step_failure)]
    assert failure.user_failure_data is not None
    assert failure.user_failure_data.description == (
        'the partition "latest" is no dump. Delete it: partitions are added as dumps arrive.'
    )


def is_step_failure(event: dg.DagsterEvent) -> bool:
    return event.is_step_failure
