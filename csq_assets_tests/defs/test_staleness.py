"""What the UI calls "Missing" and "Unsynced": nothing that is right."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from csq_assets_tests.builders import AvroFile
from csq_assets_tests.platform import Platform


def not_fresh(platform: Platform) -> dict[tuple[str, str | None], str]:
    """Each asset and partition that the UI does not show as up to date."""
    return dict(_not_fresh(platform))


def _not_fresh(platform: Platform) -> Iterator[tuple[tuple[str, str | None], str]]:
    graph = platform.definitions().resolve_asset_graph()
    context = LoadingContextForTest(platform.instance)
    resolver = CachingStaleStatusResolver(platform.instance, graph, context)
    for key in graph.get_all_asset_keys():
        partitions = graph.get(key).partitions_def
        keys = (
            partitions.get_partition_keys(dynamic_partitions_store=platform.instance)
            if partitions
            else [None]
        )
        for partition in keys:
            status = resolver.get_status(key, partition)
            if status is not StaleStatus.FRESH:
                yield (key.to_user_string(), partition), status.value


@pytest.fixture
def complete(platform: Platform) -> Platform:
    """A dump of every built-in table."""
    platform.deliver(
        12,
        users=[{"user_id": 1}],
        sessions=[{"user_id": 1, "session_id": 2}],
        pageviews=[{"user_id": 1, "event_id": 3}],
        user_migrations=[{"from_user_id": 1, "to_user_id": 2}],
    )
    platform.sync()
    return platform


def test_a_dump_that_lists_one_table_leaves_every_table_complete_and_fresh(
    complete: Platform,
) -> None:
    assert not_fresh(complete) == {}
    complete.deliver(13, users=[{"user_id": 4}])
    complete.sync()
    complete.deliver(14, clicks=[{"user_id": 4, "event_id": 3}])
    complete.sync()
    assert not_fresh(complete) == {}


def test_what_failed_or_waits_is_missing_and_nothing_else(complete: Platform) -> None:
    complete.deliver(13, users=[AvroFile(body=b"Obj\x01")], sessions=[{"user_id": 1}])
    complete.export.report("2026-03-02", status="failed")
    complete.deliver(14, pageviews=[{"user_id": 1, "event_id": 9}])
    complete.sync()
    assert not_fresh(complete) == {
        ("csq/raw/users", "13"): "MISSING",
        ("csq/raw/sessions", "13"): "MISSING",
        ("csq/raw/pageviews", "14"): "MISSING",
    }


def test_a_redelivery_that_drops_or_brings_a_table_is_fresh_once_it_is_taken(
    complete: Platform,
) -> None:
    complete.deliver(13, users=[{"user_id": 4}], sessions=[{"user_id": 4, "session_id": 5}])
    complete.sync()
    complete.deliver(13, users=[{"user_id": 4}], pageviews=[{"user_id": 4, "event_id": 5}])
    complete.sync()
    assert not_fresh(complete) == {}
    event = complete.instance.fetch_materializations(
        dg.AssetRecordsFilter(dg.AssetKey(["csq", "raw", "sessions"]), asset_partitions=["13"]),
        limit=1,
    ).records[0]
    assert event.asset_materialization is not None
    assert event.asset_materialization.description == "dump 13 does not list sessions"
    assert "dagster/column_schema" in event.asset_materialization.metadata


def test_a_rebuild_and_the_same_file_again_leave_every_table_fresh(complete: Platform) -> None:
    complete.rebuild("users")
    complete.sync(dump_id=12)
    assert not_fresh(complete) == {}


def test_an_identity_map_that_did_not_change_leaves_tables_fresh(complete: Platform) -> None:
    complete.deliver(13, user_migrations=[{"from_user_id": 1, "to_user_id": 2}])
    complete.sync()
    assert not_fresh(complete) == {}
