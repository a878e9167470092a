"""What is told of current tables between refreshes: dumps that they lack, columns that people miss."""

import dagster as dg
import pytest
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

from csq_assets.status import read_status
from csq_assets.summary import CheckSummary, SyncSummary
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.defs.test_sensor import REFRESH, Daemon, daemon, refreshed
from csq_assets_tests.platform import KEYS, Platform

__all__ = ["daemon"]

USERS = KEYS.current("users")


def columns_kept(summary: SyncSummary) -> CheckSummary:
    (found,) = (one for one in (*summary.checks, *summary.standing) if one.check == "columns_kept")
    return found


def materialize_mart(platform: Platform, **columns: str) -> None:
    """Record a mart of a person's, with the columns of csq/current/users that its own come from."""
    lineage = {
        own: [dg.TableColumnDep(USERS, column), dg.TableColumnDep(dg.AssetKey("other"), "plan")]
        for own, column in columns.items()
    }

    @dg.asset(key=["marts", "plans"], deps=[USERS])
    def plans() -> dg.MaterializeResult:
        return dg.MaterializeResult(
            metadata={"dagster/column_lineage": dg.TableColumnLineage(lineage)}
        )

    assert dg.materialize([plans], instance=platform.instance).success


def test_a_column_that_is_gone_is_an_error_for_as_long_as_a_mart_depends_on_it(
    platform: Platform,
) -> None:
    platform.deliver(12, users=[{"user_id": 1, "plan": "free", "tier": "a"}])
    assert columns_kept(platform.sync()).passed
    materialize_mart(platform, id="user_id", what="Plan")

    platform.deliver(13, users=[{"user_id": 1}])
    summary = platform.sync()
    lost = columns_kept(summary)
    assert (lost.severity, summary.exit_code) == ("ERROR", 3)
    assert lost.description == (
        'dump 13 removes "plan", "tier"; "plan" is gone, and used by marts/plans'
    )

    platform.deliver(14, users=[{"user_id": 1}])
    platform.sync()
    standing = columns_kept(platform.sync())
    assert (standing.is_error, standing.description) == (
        True,
        '"plan" is gone, and used by marts/plans',
    )
    assert [one.check for one in read_status(platform.settings).failing_checks] == ["columns_kept"]

    materialize_mart(platform, id="user_id")
    repaired = platform.sync()
    assert [one.description for one in repaired.checks] == ["dump 14 removes no column"]
    assert (repaired.standing, repaired.exit_code) == ((), 0)
    assert read_status(platform.settings).failing_checks == ()


def test_a_full_resync_and_another_spelling_may_remove_a_column_too(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1, "plan": "free", "tier": "a"}])
    platform.sync()
    platform.deliver(13, users=[{"user_id": 1, "Plan": "free", "tier": "a"}])
    assert columns_kept(platform.sync()).description == 'dump 13 removes "plan"'
    platform.deliver(14, users=[{"user_id": 1, "plan": "pro"}], full_resync=True)
    assert columns_kept(platform.sync()).description == 'dump 14 removes "Plan_2", "tier"'
    assert columns_kept(platform.rebuild("users")).description == (
        'dump 14 removes "Plan_2", "tier"'
    )
    platform.deliver(15, users=[{"user_id": 1, "plan": "pro"}])
    assert columns_kept(platform.sync()).passed


def latest(platform: Platform, check: str) -> AssetCheckExecutionRecord:
    key = dg.AssetCheckKey(USERS, check)
    events = platform.instance.event_log_storage
    return events.get_latest_asset_check_execution_by_key([key])[key]


def told(platform: Platform, check: str) -> tuple[bool, str, str | None]:
    evaluation = latest(platform, check).evaluation
    assert evaluation is not None
    return evaluation.passed, evaluation.severity.value, evaluation.description


@pytest.mark.edge(50, 72)
def test_a_table_that_lacks_a_dump_is_told_though_it_is_not_refreshed(daemon: Daemon) -> None:
    platform = daemon.platform
    platform.deliver(12, users=[{"user_id": 1}])
    daemon.tick_and_run()
    daemon.tick_and_run()
    assert told(platform, "complete") == (
        True,
        "ERROR",
        "every dump is in the table: up to dump 12",
    )

    broken = platform.deliver(13, users=[AvroFile([{"user_id": 2}], body=b"")])
    daemon.tick_and_run()
    assert refreshed(daemon.tick_and_run()) == [REFRESH]  # as csq_meta.dumps has the dump
    assert told(platform, "complete") == (False, "ERROR", "dump 13 failed")

    platform.export.report("2026-03-02", status="failed")
    platform.deliver(14, users=[{"user_id": 3}])
    assert refreshed(daemon.tick_and_run()) == [REFRESH - {"csq/current/users"}]
    runs = platform.instance.get_runs_count()
    recorded = latest(platform, "complete")
    assert told(platform, "complete") == (
        False,
        "ERROR",
        "dump 13 failed; dump 14 is not decoded yet",
    )
    daemon.tick_and_run()
    assert latest(platform, "complete").id == recorded.id
    assert platform.instance.get_runs_count() == runs

    platform.export.report("2026-03-03")
    platform.deliver(13, users=[{"user_id": 2}])
    assert broken.dump_id == 13
    for _ in range(2):
        daemon.tick_and_run()
    assert told(platform, "complete") == (
        True,
        "ERROR",
        "every dump is in the table: up to dump 14",
    )
