"""`csq sync`, killed in the midst of each kind of its work, and run again."""

import signal
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus as EvaluationStatus,
)

from csq_assets.aws import s3_client
from csq_assets.dataconnect.checks import checks_on
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.defs.keys import partition_key, step_name
from csq_assets.defs.run_requests import UNFINISHED
from csq_assets.lake.locations import open_lake
from csq_assets.publish.open import folder_of
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.staleness import read_applied_file
from csq_assets_tests.ended import end_at
from csq_assets_tests.platform import KEYS, Platform
from csq_assets_tests.torture.state import contents, lake_files, public_relations


def kill_before(
    platform: Platform, what: str, nth: int = 1, command: tuple[str, ...] = ("sync",)
) -> None:
    """Kill a command before it does this for the n-th time. One that never does ends by itself, which
    fails the test."""
    ended = end_at(platform, signal.SIGKILL, what, nth, command)
    assert ended.code == -signal.SIGKILL, f"never came to: {what}\n{ended.stderr}"


def newest(
    platform: Platform, key: dg.AssetKey, partition: str | None = None
) -> dg.AssetMaterialization | None:
    wanted = dg.AssetRecordsFilter(key, asset_partitions=None if partition is None else [partition])
    found = platform.instance.fetch_materializations(wanted, limit=1).records
    return found[0].asset_materialization if found else None


def unrecorded(platform: Platform) -> set[tuple[int, str]]:
    """The partitions of the ledger of which Dagster has no event, or another content."""
    return {
        (dump_id, table)
        for (dump_id, table), (digest, rows) in contents(platform.lake).items()
        for recorded in [newest(platform, KEYS.raw(table), partition_key(dump_id))]
        if recorded is None
        or (recorded.tags or {}).get("dagster/data_version") != digest
        or recorded.metadata["dagster/partition_row_count"].value != rows
    }


def unevaluated(platform: Platform) -> set[tuple[int, str, str]]:
    """The checks of partitions of which Dagster has no result."""
    return {
        (dump_id, table, check.name)
        for dump_id, table in contents(platform.lake)
        for check in checks_on("raw")
        if table != PROPERTY_DEFINITIONS
        and not platform.instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(KEYS.raw(table), check.name),
            limit=1,
            status={EvaluationStatus.SUCCEEDED, EvaluationStatus.FAILED},
            partition_filter=PartitionKeyFilter(key=partition_key(dump_id)),
        )
    }


@pytest.mark.slow
@pytest.mark.edge(53)
def test_a_sync_killed_at_any_point_is_finished_by_the_next(
    sampled: Platform, tmp_path: Path
) -> None:
    lake, warehouse = sampled.lake, sampled.settings.duckdb_path
    kill_before(sampled, r"rename .*/ledger/\d+\.json", 2)  # while manifests are taken
    assert len(lake.ledger.records()) == 1
    kill_before(sampled, r"rename .*/data\.parquet")  # with a partition that is only staged
    assert lake.store.partitions() == frozenset()
    kill_before(sampled, r"rename .*/ledger/\d+/")  # with a partition that the ledger lacks
    assert (len(lake.store.partitions()), contents(lake)) == (1, {})
    kill_before(sampled, r"rename .*/ledger/\d+/", 4)  # amid a dump
    assert len(contents(lake)) == 3
    kill_before(sampled, r"remove .*/ledger/\d+/", 2)  # while outcomes are folded
    assert len(contents(lake)) == 3
    kill_before(sampled, "record ASSET_MATERIALIZATION csq__raw__", 2)
    assert unrecorded(sampled)  # the steps of a run come in any order, so how many varies
    kill_before(sampled, "record ASSET_CHECK_EVALUATION csq__raw__", 6)
    kill_before(sampled, "record STEP_START csq__user_identity")  # with all decoded
    assert len(contents(lake)) == len(lake.store.partitions())
    kill_before(sampled, "record ASSET_MATERIALIZATION csq__current__users")
    assert "users" in read_applied_file(warehouse, wait_seconds=0).contents
    assert newest(sampled, KEYS.current("users")) is None
    kill_before(sampled, "record ASSET_MATERIALIZATION csq__current__all_events")
    assert newest(sampled, KEYS.current("users")) is not None

    last = sampled.csq("sync")
    assert last.code == 0, last.stderr
    assert sampled.instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED)) == 0
    killed = public_relations(warehouse)

    fresh = tmp_path / "fresh"
    untouched = {
        "CSQ_LAKE_URL": str(fresh / "lake"),
        "CSQ_DUCKDB_PATH": str(fresh / "warehouse.duckdb"),
        "DAGSTER_HOME": str(tmp_path / "fresh home"),
    }
    (tmp_path / "fresh home").mkdir()
    (tmp_path / "fresh home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    ran = sampled.csq("sync", **untouched)
    assert ran.code == 0, ran.stderr
    assert killed == public_relations(fresh / "warehouse.duckdb")
    other = open_lake(str(fresh / "lake"), s3_client)
    assert lake_files(lake) == lake_files(other)

    known = contents(lake)
    assert known == contents(other)
    assert unrecorded(sampled) == set()
    assert unevaluated(sampled) == set()
    for table in {"all_events", *(table for _, table in known)} - {PROPERTY_DEFINITIONS}:
        recorded = newest(sampled, KEYS.current(table))
        assert recorded is not None, table
        rows = len(killed[f'csq."{table}"'])
        assert recorded.metadata["dagster/row_count"].value == rows

    assert sampled.csq("rebuild").code == 0
    assert public_relations(warehouse) == killed


@pytest.mark.slow
def test_the_copy_for_a_snapshot_that_is_killed_is_gone_with_the_next(platform: Platform) -> None:
    snapshot = platform.folder / "shared" / "snapshot.duckdb"
    platform = replace(platform, settings=replace(platform.settings, snapshot_path=snapshot))
    platform.deliver(12, users=[{"user_id": 1}])
    kill_before(platform, r"rename .*/snapshot\.duckdb")
    left = [path.name for path in snapshot.parent.iterdir()]
    assert (len(left), snapshot.exists()) == (1, False)
    assert platform.csq("sync").code == 0
    assert [path.name for path in snapshot.parent.iterdir()] == ["snapshot.duckdb"]


@pytest.mark.slow
def test_what_is_there_for_other_readers_and_was_not_recorded_is_recorded_by_the_next(
    platform: Platform, tmp_path: Path
) -> None:
    settings = replace(
        platform.settings,
        snapshot_path=platform.folder / "snapshot.duckdb",
        publish_url=str(tmp_path / "tables"),
        publish_format="parquet",
    )
    platform = replace(platform, settings=settings)
    platform.deliver(12, users=[{"user_id": 1}])
    keys = (KEYS.published("users"), KEYS.snapshot)
    for key in keys:
        kill_before(platform, f"record ASSET_MATERIALIZATION {step_name(key)}$")
        assert newest(platform, key) is None
    assert (Path(folder_of(settings)) / "users" / "manifest.json").exists()
    assert (platform.folder / "snapshot.duckdb").exists()

    assert platform.csq("sync").code == 0
    assert [key for key in keys if newest(platform, key) is None] == []
    recorded = platform.instance.get_runs_count()
    assert platform.csq("sync").code == 0
    assert platform.instance.get_runs_count() == recorded


@pytest.mark.slow
def test_a_compaction_that_is_killed_is_done_by_the_next_sync(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1, "plan": "free"}])
    platform.sync()
    warehouse = platform.settings.duckdb_path
    with open_warehouse(warehouse) as connection:
        connection.execute("CREATE SCHEMA mine")
        connection.execute("CREATE TABLE mine.kept AS SELECT range AS id FROM range(10)")
        connection.execute("CREATE TABLE mine.gone AS SELECT hash(range) FROM range(10_000_000)")
        connection.execute("DROP TABLE mine.gone")
    before = warehouse.stat().st_size
    platform.deliver(13, users=[{"user_id": 1, "plan": "pro"}])
    kill_before(platform, r"rename .*/warehouse\.duckdb")
    assert warehouse.stat().st_size >= before
    assert platform.rows("users") == [{"user_id": 1, "plan": "pro", "_dump_id": 13}]

    platform.deliver(14, users=[{"user_id": 2, "plan": "trial"}])
    ran = platform.csq("sync")
    assert ran.code == 0, ran.stderr
    assert warehouse.stat().st_size < before / 10
    assert [path.name for path in warehouse.parent.iterdir() if "compacted" in path.name] == []
    assert [row["user_id"] for row in platform.rows("users")] == [1, 2]
    assert len(platform.rows("kept", "mine")) == 10
