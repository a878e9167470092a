"""What a killed process had finished and not told Dagster is recorded by the next pass."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.event_api import PartitionKeyFilter

from csq_assets.dataconnect.dump_records import Content
from csq_assets.defs.recovery import record_missing_partitions
from csq_assets.defs.run_requests import PARTITION_TAG, headless_tags
from csq_assets.lake.locations import open_export
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.pipeline.ingest import TableIngest
from csq_assets.pipeline.planner import Planner
from csq_assets.pipeline.refresh import Refresh
from csq_assets.warehouse.connection import open_warehouse
from csq_assets_tests.defs.test_sensor import Daemon
from csq_assets_tests.platform import KEYS, Platform

ROWS = [{"user_id": None, "plan": "a"}, {"user_id": 1, "plan": "b"}]

HEADLESS = headless_tags(KEYS)


def planner(platform: Platform) -> Planner:
    return Planner(platform.lake, platform.settings.duckdb_path, None, lambda _table: False)


def add_killed_run(
    platform: Platform,
    job: str,
    assets: Sequence[dg.AssetKey],
    dump_id: int | None = None,
    tags: Mapping[str, str] = HEADLESS,
) -> str:
    """A run, as of csq's own process, that began and never said how it ended."""
    subset = (
        platform.definitions()
        .resolve_job_def(job)
        .get_subset(asset_selection=frozenset(assets), asset_check_selection=frozenset())
    )
    partition = {} if dump_id is None else {PARTITION_TAG: str(dump_id)}
    run = platform.instance.create_run_for_job(
        subset, status=dg.DagsterRunStatus.STARTED, tags={**tags, **partition}
    )
    return run.run_id


def decode_and_die(
    platform: Platform, dump_id: int, *tables: str, tags: Mapping[str, str] = HEADLESS
) -> str:
    """Publish the tables of a dump, with their outcomes in the ledger, and tell Dagster nothing."""
    lake, now = platform.lake, datetime.now(UTC)
    export = open_export(platform.settings.export_url, "manifests/", lambda: None)
    planner(platform).plan_decoding(export, now)
    run_id = add_killed_run(platform, KEYS.raw_job, [*map(KEYS.raw, tables)], dump_id, tags)
    for table in tables:
        ingest = TableIngest(
            *lake.documents.manifest(dump_id), table, export, lake, partial(datetime.now, UTC)
        )
        ingest.write(partial(lake.store.write, table, dump_id))
    return run_id


def content(platform: Platform, dump_id: int, table: str) -> Content:
    record = platform.lake.ledger.records()[dump_id].table(table)
    assert record is not None
    assert record.content is not None
    return record.content


def materializations(
    platform: Platform, key: dg.AssetKey, partition: str | None = None
) -> list[dg.AssetMaterialization]:
    """Those that Dagster has, the newest first."""
    wanted = dg.AssetRecordsFilter(key, asset_partitions=None if partition is None else [partition])
    records = platform.instance.fetch_materializations(wanted, limit=10).records
    found = [record.asset_materialization for record in records]
    return [one for one in found if one is not None]


def evaluated(platform: Platform) -> set[tuple[str, str | None, str]]:
    """The checks on raw tables that a sync evaluates: asset, partition, check."""
    checks = platform.sync().checks
    return {
        (check.asset, check.partition, check.check)
        for check in checks
        if check.asset.startswith("csq/raw/")
    }


def recorded_checks(platform: Platform, table: str, dump_id: int) -> set[str]:
    """The checks of which Dagster has a result for this partition."""
    records = platform.instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [dg.AssetCheckKey(KEYS.raw(table), name) for *_, name in raw_checks(table, dump_id)],
        partition_filter=PartitionKeyFilter(key=str(dump_id)),
    )
    return {key.name for key, record in records.items() if record.evaluation is not None}


def raw_checks(table: str, dump_id: int) -> set[tuple[str, str | None, str]]:
    names = ("column_drift", "columns_match_manifest", "text_valid", "keys_not_null")
    return {(f"csq/raw/{table}", str(dump_id), name) for name in names}


def test_a_partition_that_a_killed_run_published_is_recorded_with_its_checks(
    platform: Platform,
) -> None:
    platform.deliver(12, users=ROWS, property_definitions={"a": 1})
    run_id = decode_and_die(platform, 12, "users", "property_definitions")
    summary = platform.sync()
    assert (summary.dumps, summary.errors) == ((), ())
    found = {(check.check, check.partition): check for check in summary.checks}
    assert found["keys_not_null", "12"].description == "user_id is null in 1 of 2 rows"
    run = platform.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.FAILURE

    (recorded,) = materializations(platform, KEYS.raw("users"), "12")
    assert recorded.tags is not None
    assert recorded.tags["dagster/data_version"] == content(platform, 12, "users").digest
    assert recorded.metadata["dagster/partition_row_count"].value == 2
    assert recorded.metadata["dagster/uri"].value == platform.lake.store.location("users", 12)
    assert len(materializations(platform, KEYS.raw("property_definitions"), "12")) == 1

    assert evaluated(platform) == set()  # once is enough
    assert len(materializations(platform, KEYS.raw("users"), "12")) == 1


def test_a_redelivered_partition_is_recorded_though_the_earlier_one_was(platform: Platform) -> None:
    platform.deliver(12, users=ROWS)
    platform.sync()
    platform.deliver(12, users=ROWS[:1])
    decode_and_die(platform, 12, "users")
    assert evaluated(platform) == raw_checks("users", 12)
    newest, earlier = materializations(platform, KEYS.raw("users"), "12")
    assert (newest.tags, earlier.tags) != (earlier.tags, newest.tags)
    assert newest.metadata["dagster/partition_row_count"].value == 1


def test_a_partition_is_recorded_as_often_as_a_run_of_it_is_killed(platform: Platform) -> None:
    for rows in (ROWS, ROWS[:1]):
        platform.deliver(12, users=rows)
        decode_and_die(platform, 12, "users")
        assert evaluated(platform) == raw_checks("users", 12)
    assert recorded_checks(platform, "users", 12) == {name for *_, name in raw_checks("users", 12)}


def test_a_partition_that_was_recorded_without_its_checks_gets_them(platform: Platform) -> None:
    platform.deliver(12, users=ROWS)
    decode_and_die(platform, 12, "users")
    platform.instance.report_runless_asset_event(
        dg.AssetMaterialization(
            KEYS.raw("users"),
            partition="12",
            tags={"dagster/data_version": content(platform, 12, "users").digest},
        )
    )
    assert evaluated(platform) == raw_checks("users", 12)
    assert len(materializations(platform, KEYS.raw("users"), "12")) == 1


@pytest.mark.edge(5)
def test_a_late_partition_that_is_recorded_has_the_next_one_evaluated_again(
    platform: Platform,
) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.deliver(14, users=ROWS)
    platform.sync()
    platform.deliver(13, users=ROWS)
    decode_and_die(platform, 13, "users")
    summary = platform.sync()
    found = {(check.check, check.partition): check.description for check in summary.checks}
    assert found["column_drift", "13"] == 'dump 13 adds "plan"'
    assert found["column_drift", "14"] == "same columns as dump 13"


def test_a_pass_that_is_killed_before_it_records_leaves_that_to_the_next(
    platform: Platform,
) -> None:
    platform.deliver(12, users=ROWS)
    decode_and_die(platform, 12, "users")
    export = open_export(platform.settings.export_url, "manifests/", lambda: None)
    planner(platform).plan_decoding(export, datetime.now(UTC))  # and no more
    assert evaluated(platform) == raw_checks("users", 12)
    assert len(materializations(platform, KEYS.raw("users"), "12")) == 1


def test_a_partition_that_cannot_be_read_is_an_error_and_is_recorded_later(
    platform: Platform,
) -> None:
    platform.deliver(12, users=ROWS)
    decode_and_die(platform, 12, "users")
    partition = Path(platform.lake.store.location("users", 12))
    body = partition.read_bytes()
    partition.write_bytes(b"PAR1")
    summary = platform.sync()
    assert summary.exit_code == 1
    assert f"{partition} cannot be read" in summary.errors[0]

    partition.write_bytes(body)
    assert evaluated(platform) == raw_checks("users", 12)
    assert platform.rows("users", "csq")[0]["_dump_id"] == 12


def test_a_run_that_failed_by_itself_has_nothing_to_be_recorded(platform: Platform) -> None:
    broken = platform.deliver(12, users=ROWS, sessions=[{"user_id": 1, "session_id": 2}])
    platform.export.put(platform.export.key_of(broken.paths["sessions"][0]), b"not Avro")
    platform.sync()
    records = platform.lake.ledger.records()
    assert record_missing_partitions(platform.instance, KEYS, platform.lake, records) == []
    assert len(materializations(platform, KEYS.raw("users"), "12")) == 1


def test_a_tick_continues_after_a_partition_that_cannot_be_read(platform: Platform) -> None:
    platform.deliver(12, users=ROWS)
    decode_and_die(platform, 12, "users")
    partition = Path(platform.lake.store.location("users", 12))
    body = partition.read_bytes()
    partition.write_bytes(b"PAR1")
    platform.deliver(13, users=ROWS)
    daemon = Daemon(platform)
    requested = [request.partition_key for request in daemon.tick().run_requests or []]
    assert requested == ["13"]

    partition.write_bytes(body)
    daemon.tick()
    assert recorded_checks(platform, "users", 12) == {name for *_, name in raw_checks("users", 12)}


def test_what_a_run_of_the_daemon_published_is_recorded_once_it_has_failed(
    platform: Platform,
) -> None:
    platform.deliver(12, users=ROWS)
    decode_and_die(platform, 12, "users", tags={})
    (run,) = platform.instance.get_runs()
    daemon = Daemon(platform)
    for _ in range(2):  # the outcome is folded while the run still counts as in progress
        daemon.tick()
        assert materializations(platform, KEYS.raw("users"), "12") == []
    platform.instance.report_run_failed(run, "the worker is gone")  # as run monitoring does
    daemon.tick()
    assert len(materializations(platform, KEYS.raw("users"), "12")) == 1
    assert len(recorded_checks(platform, "users", 12)) == 4


def refresh_and_die(platform: Platform, tags: Mapping[str, str] = HEADLESS) -> str:
    """Bring the DuckDB file up to date, and tell Dagster nothing."""
    plan = planner(platform).plan_refresh(planner(platform).state(), wait_seconds=0)
    assets = [KEYS.meta, KEYS.user_identity, *map(KEYS.current, plan.tables)]
    run_id = add_killed_run(platform, KEYS.current_job, assets, tags=tags)
    effective = EffectiveDumps(platform.lake, planner(platform).state())
    with open_warehouse(platform.settings.duckdb_path) as connection:
        refresh = Refresh(connection, effective, platform.lake.documents, datetime.now(UTC))
        refresh.refresh_meta()
        refresh.refresh_identity()
        for table in plan.tables:
            refresh.refresh_table(table)
    return run_id


def test_a_table_that_a_killed_run_refreshed_is_recorded_again(platform: Platform) -> None:
    platform.deliver(12, users=ROWS, notes=[{"user_id": 1}])
    platform.sync()
    platform.deliver(13, users=[{"user_id": 2, "plan": "c"}])
    decode_and_die(platform, 13, "users")
    refresh_and_die(platform)
    rows = platform.rows("users")
    summary = platform.sync()
    assert summary.exit_code == 0
    assert {check.check for check in summary.checks if check.asset == "csq/current/users"} == {
        "unique_key",
        "rows_reconcile",
        "complete",
        "no_gap",
        "columns_kept",
        "type_widened",
    }
    newest, _ = materializations(platform, KEYS.current("users"))
    assert newest.metadata["dagster/row_count"].value == len(rows) == 3
    assert platform.rows("users") == rows
    assert len(materializations(platform, KEYS.current("notes"))) == 1  # the run was not for it
    assert platform.sync().checks == ()


def test_a_table_is_recorded_though_others_were_refreshed_before_its_run_was_known_to_be_dead(
    platform: Platform,
) -> None:
    platform.deliver(12, users=ROWS, notes=[{"user_id": 1}])
    platform.sync()
    platform.deliver(13, users=[{"user_id": 2, "plan": "c"}])
    decode_and_die(platform, 13, "users")
    run_id = refresh_and_die(platform, tags={})  # of the daemon
    platform.deliver(14, notes=[{"user_id": 2}])
    platform.sync()
    assert len(materializations(platform, KEYS.current("users"))) == 1
    run = platform.instance.get_run_by_id(run_id)
    assert run is not None
    platform.instance.report_run_failed(run)
    platform.sync()
    newest, *_ = materializations(platform, KEYS.current("users"))
    assert newest.metadata["dagster/row_count"].value == len(platform.rows("users")) == 3
    platform.sync()
    assert len(materializations(platform, KEYS.current("users"))) == 2
