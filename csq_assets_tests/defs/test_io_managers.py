"""Assets of a user's own, downstream of raw and current tables, through both IO managers."""

from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pytest

from csq_assets_tests.builders import AvroFile
from csq_assets_tests.damaged import damage_first_page
from csq_assets_tests.platform import KEYS, Platform

RAW, CURRENT = dg.AssetKey(["csq", "raw", "users"]), dg.AssetKey(["csq", "current", "users"])
ALL = dg.AllPartitionMapping()


@pytest.fixture
def synced(platform: Platform) -> Platform:
    """Three dumps, of which the second does not list users."""
    platform.deliver(9, users=[{"user_id": 1, "plan": "free"}])
    platform.deliver(10, sessions=[{"user_id": 1, "session_id": 5}])
    platform.deliver(11, users=[{"user_id": 1, "age": "7"}, {"user_id": 2, "age": "8"}])
    assert platform.sync().errors == ()
    return platform


def run(
    platform: Platform, *assets: dg.AssetsDefinition, partition: str | None = None
) -> dg.ExecuteInProcessResult:
    job = dg.define_asset_job("own", selection=dg.AssetSelection.assets(*assets))
    own = dg.Definitions(assets=assets, jobs=[job])
    defs = dg.Definitions.merge(platform.definitions(), own)
    return defs.resolve_job_def("own").execute_in_process(
        instance=platform.instance, partition_key=partition, raise_on_error=False
    )


def failure(result: dg.ExecuteInProcessResult) -> str:
    (data,) = [
        event.step_failure_data
        for event in result.filter_events(lambda event: event.is_step_failure)
    ]
    assert data.user_failure_data is not None, data.error
    return str(data.user_failure_data.description)


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (event,) = result.get_asset_materialization_events()
    return {name: one.value for name, one in event.materialization.metadata.items()}


def test_an_asset_of_one_partition_is_kept_in_the_lake(synced: Platform) -> None:
    @dg.asset(
        ins={"users": dg.AssetIn(RAW)}, partitions_def=KEYS.dumps, io_manager_key="csq_lake_io"
    )
    def adults(users: pl.LazyFrame) -> pl.LazyFrame:
        return users.filter(pl.col("age") == "8").select("user_id")

    result = run(synced, adults, partition="11")
    assert result.success
    location = f"{synced.settings.lake_url}/assets/adults/partition=11/data.parquet"
    facts = metadata(result)
    assert (facts["dagster/partition_row_count"], facts["dagster/uri"]) == (1, location)
    assert pl.read_parquet(location)["user_id"].to_list() == [2]
    defs = dg.Definitions.merge(synced.definitions(), dg.Definitions(assets=[adults]))
    loaded = defs.load_asset_value("adults", partition_key="11", instance=synced.instance)
    assert isinstance(loaded, pl.DataFrame)
    assert loaded["user_id"].to_list() == [2]
    assert synced.partitions() == {("users", 9), ("users", 11), ("sessions", 10)}


def test_all_partitions_are_one_frame_and_dumps_without_the_table_are_left_out(
    synced: Platform,
) -> None:
    @dg.asset(
        key=["mart", "history"],
        ins={"users": dg.AssetIn(RAW, partition_mapping=ALL)},
        io_manager_key="csq_duckdb_io",
    )
    def history(users: pl.DataFrame) -> pl.DataFrame:
        return users.select("user_id", "plan", "age", "_dump_id")

    assert run(synced, history).success
    assert synced.rows("history", "mart") == [
        {"user_id": 1, "plan": "free", "age": None, "_dump_id": 9},
        {"user_id": 1, "plan": None, "age": "7", "_dump_id": 11},
        {"user_id": 2, "plan": None, "age": "8", "_dump_id": 11},
    ]


def test_several_partitions_are_a_dictionary_where_the_type_says_so(synced: Platform) -> None:
    @dg.asset(ins={"users": dg.AssetIn(RAW, partition_mapping=ALL)}, io_manager_key="csq_duckdb_io")
    def counts(users: dict[str, pl.LazyFrame]) -> pl.DataFrame:
        rows = {dump: frame.select(pl.len()).collect().item() for dump, frame in users.items()}
        return pl.DataFrame({"dump": list(rows), "rows": list(rows.values())})

    assert run(synced, counts).success
    assert synced.rows("counts", "public") == [
        {"dump": "11", "rows": 2},
        {"dump": "9", "rows": 1},
    ]


def test_a_partition_that_failed_is_not_left_out(synced: Platform) -> None:
    synced.deliver(12, users=[AvroFile(body=b"")], columns={"users": ["user_id"]})
    synced.sync()

    @dg.asset(ins={"users": dg.AssetIn(RAW, partition_mapping=ALL)}, io_manager_key="csq_duckdb_io")
    def history(users: pl.LazyFrame) -> pl.LazyFrame:
        return users

    assert failure(run(synced, history)).startswith(
        "dump 12, table users: there is no such partition in the lake"
    )


def test_a_damaged_partition_or_one_without_a_column_is_told(synced: Platform) -> None:
    def build(columns: list[str] | None, kind: type) -> dg.AssetsDefinition:
        chosen = {"columns": columns} if columns else {}
        users = dg.AssetIn(RAW, partition_mapping=ALL, metadata=chosen, dagster_type=kind)

        @dg.asset(ins={"users": users}, io_manager_key="csq_duckdb_io")
        def history(users: pl.DataFrame) -> pl.DataFrame:
            return users

        return history

    location = synced.lake.store.location
    said = failure(run(synced, build(["plan"], pl.DataFrame)))
    assert said.startswith(
        f'{location("users", 11)} cannot be read: unable to find column "plan"; '
    )
    assert said.endswith(" Name columns that it has; if it is damaged, make it again.")
    damage_first_page(Path(location("users", 9)))
    for kind in (pl.DataFrame, dict[str, pl.DataFrame]):
        said = failure(run(synced, build(None, kind)))
        assert said.startswith(f"{location('users', 9)} cannot be read: parquet: ")


def test_a_damaged_asset_of_a_user_or_one_of_two_types_is_told(synced: Platform) -> None:
    @dg.asset(partitions_def=KEYS.dumps, io_manager_key="csq_lake_io")
    def own(context: dg.AssetExecutionContext) -> pl.DataFrame:
        return pl.DataFrame({"n": [1 if context.partition_key == "9" else "a"]})

    for partition in ("9", "11"):
        assert run(synced, own, partition=partition).success

    @dg.asset(ins={"own": dg.AssetIn(partition_mapping=ALL)}, io_manager_key="csq_lake_io")
    def both(own: pl.DataFrame) -> pl.DataFrame:
        return own

    synced.instance.delete_dynamic_partition(str(KEYS.dumps.name), "10")  # which it lacks
    job = dg.define_asset_job("own", selection=["both"])
    defs = dg.Definitions.merge(
        synced.definitions(), dg.Definitions(assets=[own, both], jobs=[job])
    )

    def said() -> str:
        job = defs.resolve_job_def("own")
        return failure(job.execute_in_process(instance=synced.instance, raise_on_error=False))

    assert said().startswith("own cannot be read: ")
    assert said().endswith(" Give its partitions the same types.")
    location = Path(f"{synced.settings.lake_url}/assets/own/partition=11/data.parquet")
    damage_first_page(location)
    assert said().startswith(f"{location} cannot be read: parquet: ")


def test_chosen_columns_of_a_current_table_are_an_input(synced: Platform) -> None:
    @dg.asset(
        ins={"users": dg.AssetIn(CURRENT, metadata={"columns": ["age"]})},
        metadata={"schema": "mart"},
        io_manager_key="csq_duckdb_io",
    )
    def ages(users: pl.LazyFrame) -> pl.LazyFrame:
        return users

    result = run(synced, ages)
    assert result.success
    facts = metadata(result)
    assert (facts["dagster/row_count"], facts["dagster/table_name"]) == (2, "mart.ages")
    assert synced.rows("ages", "mart") == [{"age": "7"}, {"age": "8"}]


def test_a_partitioned_asset_replaces_its_own_rows_in_duckdb(synced: Platform) -> None:
    @dg.asset(
        ins={"users": dg.AssetIn(RAW, metadata={"columns": ["user_id", "_dump_id"]})},
        partitions_def=KEYS.dumps,
        metadata={"schema": "mart", "partition_expr": "_dump_id"},
        io_manager_key="csq_duckdb_io",
    )
    def by_dump(users: pl.DataFrame) -> pl.DataFrame:
        return users

    for partition in ("11", "9", "11"):
        assert run(synced, by_dump, partition=partition).success
    assert [(row["_dump_id"], row["user_id"]) for row in synced.rows("by_dump", "mart")] == [
        (9, 1),
        (11, 1),
        (11, 2),
    ]


@pytest.mark.parametrize("schema", ["csq", "CSQ_META", "csq_rows"])
def test_schemas_of_ours_are_never_written(synced: Platform, schema: str) -> None:
    @dg.asset(metadata={"schema": schema}, io_manager_key="csq_duckdb_io")
    def users() -> pl.DataFrame:
        return pl.DataFrame({"user_id": [7]})

    before = synced.rows("users")
    said = failure(run(synced, users))
    assert said.startswith(f"users would be written into schema {schema}, which csq_assets keeps")
    assert synced.rows("users") == before


def test_a_write_that_fails_leaves_the_table_as_it_was(synced: Platform) -> None:
    def build(frame: pl.DataFrame) -> dg.AssetsDefinition:
        @dg.asset(
            partitions_def=KEYS.dumps,
            metadata={"partition_expr": "dump"},
            io_manager_key="csq_duckdb_io",
        )
        def own() -> pl.DataFrame:
            return frame

        return own

    assert run(synced, build(pl.DataFrame({"dump": ["9"]})), partition="9").success
    assert not run(synced, build(pl.DataFrame({"other": ["9"]})), partition="9").success
    assert synced.rows("own", "public") == [{"dump": "9"}]


def test_something_that_is_not_a_frame_is_refused_in_words(synced: Platform) -> None:
    for name in ("csq_lake_io", "csq_duckdb_io"):

        @dg.asset(io_manager_key=name)
        def own() -> int:
            return 7

        assert failure(run(synced, own)).startswith("own is a int. Return a Polars DataFrame")


def test_raw_tables_load_in_a_notebook_one_dump_or_all(synced: Platform) -> None:
    defs, instance = synced.definitions(), synced.instance
    one = defs.load_asset_value(RAW, partition_key="9", instance=instance)
    assert isinstance(one, pl.DataFrame)
    assert one["plan"].to_list() == ["free"]
    every = defs.load_asset_value(RAW, instance=instance, python_type=pl.LazyFrame)
    assert isinstance(every, pl.LazyFrame)
    assert every.select("_dump_id").collect()["_dump_id"].to_list() == [9, 11, 11]


def test_current_tables_load_in_a_notebook_as_they_are_now(synced: Platform) -> None:
    defs, instance = synced.definitions(), synced.instance
    expected = [
        {"user_id": 1, "age": "7", "_dump_id": 11},
        {"user_id": 2, "age": "8", "_dump_id": 11},
    ]
    loaded = defs.load_asset_value(CURRENT, instance=instance)
    assert isinstance(loaded, pl.DataFrame)
    assert loaded.sort("user_id").to_dicts() == expected
    lazy = defs.load_asset_value(CURRENT, instance=instance, python_type=pl.LazyFrame)
    assert isinstance(lazy, pl.LazyFrame)
    same = defs.load_asset_value(CURRENT, partition_key="9", instance=instance)
    assert isinstance(same, pl.DataFrame)
    assert same.sort("user_id").to_dicts() == expected


def test_a_current_table_that_does_not_exist_is_told(platform: Platform) -> None:
    platform.deliver(9, sessions=[{"user_id": 1, "session_id": 5}])
    platform.sync()
    with pytest.raises(dg.Failure, match=r"^csq\.users cannot be read: .* Materialize the asset"):
        platform.definitions().load_asset_value(CURRENT, instance=platform.instance)


def test_a_plain_duckdb_resource_may_take_the_place_of_ours(synced: Platform) -> None:
    with duckdb.connect(str(synced.settings.duckdb_path)) as connection:
        connection.execute("SELECT 1")
    loaded = synced.definitions(plain_duckdb=True).load_asset_value(
        CURRENT, instance=synced.instance
    )
    assert isinstance(loaded, pl.DataFrame)
    assert loaded.height == 2
