"""What a person does in the UI: materialize a partition, retry a failure, execute checks alone."""

import dagster as dg
import polars as pl
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from csq_assets.dataconnect.column_meanings import meaning_of
from csq_assets.defs.build import build_definitions
from csq_assets.settings import Settings
from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.platform import KEYS, Platform

USERS = KEYS.raw("users")


def run(
    platform: Platform,
    *tables: str,
    partition: str | None = None,
    checks: list[dg.AssetCheckKey] | None = None,
) -> dg.ExecuteInProcessResult:
    assets = dg.AssetSelection.assets(*map(KEYS.raw, tables))
    job = dg.define_asset_job(
        "asked", selection=dg.AssetSelection.checks(*checks) if checks else assets
    )
    defs = dg.Definitions.merge(platform.definitions(), dg.Definitions(jobs=[job]))
    return defs.resolve_job_def("asked").execute_in_process(
        instance=platform.instance, partition_key=partition, raise_on_error=False
    )


def raw_job_of_environment() -> dg.JobDefinition:
    """The job of raw tables with a process for each step, as a run worker finds it."""
    defs = build_definitions(Settings.from_environment(), ("users", "sessions", "pageviews"))
    keys = [KEYS.raw(table) for table in ("users", "sessions", "pageviews")]
    job = dg.define_asset_job(
        "by_processes",
        selection=dg.AssetSelection.assets(*keys),
        executor_def=dg.multiprocess_executor,
    )
    return dg.Definitions.merge(defs, dg.Definitions(jobs=[job])).resolve_job_def("by_processes")


def failed_partitions(platform: Platform, table: str) -> set[str]:
    status = get_and_update_asset_status_cache_value(platform.instance, KEYS.raw(table), KEYS.dumps)
    assert status is not None
    subset = status.deserialize_failed_partition_subsets(KEYS.dumps)
    return set(subset.get_partition_keys())


def test_a_partition_is_materialized_again_with_the_same_rows(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}, {"user_id": 2}])
    platform.sync()
    before = platform.raw("users", 12)
    result = run(platform, "users", partition="12")
    assert result.success
    assert platform.raw("users", 12).equals(before)
    (materialization,) = result.asset_materializations_for_node("csq__raw__users")
    assert materialization.partition == "12"


def test_a_waiting_dump_is_taken_by_materializing_it(platform: Platform) -> None:
    platform.export.report("2026-03-01", status="failed")
    platform.export.deliver(12, users=[{"user_id": 1}])
    assert platform.sync().waiting == (12,)
    assert run(platform, "users", partition="12").success
    assert platform.partitions() == {("users", 12)}


def test_a_backfill_has_a_run_for_each_partition(platform: Platform) -> None:
    graph = platform.definitions().resolve_asset_graph()
    assert graph.get(USERS).backfill_policy is None


def test_each_table_is_a_step_of_the_run_of_its_dump(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], sessions=[{"user_id": 1, "session_id": 1}])
    platform.deliver(13, users=[{"user_id": 2}])
    platform.sync()
    steps = {}
    for run in platform.instance.get_runs(dg.RunsFilter(job_name=KEYS.raw_job)):
        events = platform.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
        steps[run.tags["dagster/partition"]] = {event.step_key for event in events}
    assert steps == {"12": {"csq__raw__users", "csq__raw__sessions"}, "13": {"csq__raw__users"}}


def test_steps_can_be_processes_of_their_own(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.export.report("2026-03-01", status="failed")
    platform.export.deliver(
        12,
        users=[{"user_id": 1}],
        sessions=[{"user_id": 1, "session_id": 1}],
        pageviews=[AvroFile(body=b"")],
        columns={"pageviews": ["user_id", "event_id"]},
    )
    platform.sync()  # it waits, and its partition is there
    for name, value in platform.environment().items():
        monkeypatch.setenv(name, value)
    with dg.execute_job(
        dg.reconstructable(raw_job_of_environment),
        instance=platform.instance,
        tags={"dagster/partition": "12"},
        raise_on_error=False,
    ) as result:
        assert not result.success
        failed = result.get_failed_step_keys()
    assert failed == {"csq__raw__pageviews"}
    assert platform.partitions() == {("users", 12), ("sessions", 12)}
    record = platform.lake.ledger.fold()[12]
    assert {table.table: table.failure is None for table in record.tables} == {
        "users": True,
        "sessions": True,
        "pageviews": False,
    }


def test_a_failed_table_is_executed_again_from_the_failure(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = platform.deliver(
        12,
        users=[AvroFile(body=b"")],
        sessions=[{"user_id": 1, "session_id": 1}],
        columns={"users": ["user_id"]},
    )
    platform.sync(skip=("*",))
    for name, value in platform.environment().items():
        monkeypatch.setenv(name, value)
    job = dg.reconstructable(raw_job_of_environment)
    partition = {"dagster/partition": "12"}
    keys = [KEYS.raw("users"), KEYS.raw("sessions")]
    with dg.execute_job(
        job, instance=platform.instance, tags=partition, asset_selection=keys, raise_on_error=False
    ) as first:
        assert not first.success
    platform.export.put(
        platform.export.key_of(delivery.paths["users"][0]), encode_avro([{"user_id": 1}])
    )
    options = dg.ReexecutionOptions.from_failure(first.run_id, platform.instance)
    with dg.execute_job(
        job, instance=platform.instance, tags=partition, reexecution_options=options
    ) as again:
        steps = {event.step_key for event in again.filter_events(lambda one: one.is_step_success)}
    assert steps == {"csq__raw__users"}
    assert platform.partitions() == {("users", 12), ("sessions", 12)}


def test_a_table_that_the_dump_does_not_list_is_skipped_with_a_word(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    result = run(platform, "users", "sessions", partition="12")
    assert result.success
    said = [event.user_message for event in platform.instance.all_logs(result.run_id)]
    assert "dump 12 does not list sessions: nothing to decode" in said
    assert platform.partitions() == {("users", 12)}


OUR_COLUMNS = {"_dump_id": "Int64", "_source_file": "String", "_source_row": "Int64"}


def test_the_metadata_have_rows_files_bytes_and_columns(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1, "plan": "x"}, {"user_id": 2, "plan": "y"}])
    platform.sync()
    event = platform.instance.get_latest_materialization_event(USERS)
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    assert set(metadata) == {
        "dagster/partition_row_count",
        "dagster/column_schema",
        "dagster/uri",
        "files",
        "bytes_read",
        "size_bytes",
        "incremental",
    }
    location = metadata["dagster/uri"].value
    counts = (metadata["dagster/partition_row_count"].value, metadata["files"].value)
    assert counts == (2, 1)
    assert isinstance(location, str)
    assert pl.read_parquet(location)["user_id"].to_list() == [1, 2]
    schema = metadata["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    assert [(column.name, column.type, column.description) for column in schema.columns] == [
        ("user_id", "Int64", f"{meaning_of('users', 'user_id')} Avro: long."),
        ("plan", "String", "Avro: string."),
        *((name, dtype, meaning_of("users", name)) for name, dtype in OUR_COLUMNS.items()),
    ]


def test_the_data_version_is_the_digest_of_the_partition(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    (record,) = platform.lake.ledger.records().values()
    content = record.tables[0].content
    assert content is not None
    event = platform.instance.get_latest_materialization_event(USERS)
    assert event is not None
    assert event.asset_materialization is not None
    tags = event.asset_materialization.tags or {}
    assert tags["dagster/data_version"] == content.digest
    assert tags["dagster/code_version"] == "1"


@pytest.mark.edge(24)
def test_a_partition_that_fails_shows_as_failed_and_the_others_do_not(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], sessions=[{"user_id": 1, "session_id": 1}])
    platform.deliver(13, users=[AvroFile(body=b"")], columns={"users": ["user_id"]})
    platform.sync()
    assert failed_partitions(platform, "users") == {"13"}
    assert failed_partitions(platform, "sessions") == set()
    runs = platform.instance.get_runs(dg.RunsFilter(job_name=KEYS.raw_job))
    assert {run.tags["dagster/partition"]: run.status for run in runs} == {
        "12": dg.DagsterRunStatus.SUCCESS,
        "13": dg.DagsterRunStatus.FAILURE,
    }


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
    with pytest.raises(dg.Failure, match="dump 12, table users: there is no such partition"):
        platform.raw("users", 12)


def test_a_partition_that_a_person_added_and_is_no_dump_is_told(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    platform.instance.add_dynamic_partitions("csq_dumps", ["latest"])
    result = run(platform, "users", partition="latest")
    assert not result.success
    (failure,) = [event.step_failure_data for event in result.filter_events(is_step_failure)]
    assert failure.user_failure_data is not None
    assert failure.user_failure_data.description == (
        'the partition "latest" is not a dump. Delete it: partitions are added when dumps arrive.'
    )


def is_step_failure(event: dg.DagsterEvent) -> bool:
    return event.is_step_failure
