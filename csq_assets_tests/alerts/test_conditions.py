"""Which failing checks are told."""

from datetime import UTC, datetime, timedelta

import pytest

from csq_assets.alerts.conditions import find_conditions
from csq_assets.dataconnect.catalog import Catalog, Delivered, SeenManifest, SeenReport
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.sync_report import SyncReport
from csq_assets.summary import CheckSummary

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WAITS = "csq/manifests: dumps wait"


def found(catalog: Catalog, *checks: tuple[str, str]) -> list[tuple[str, timedelta]]:
    """Subject and patience of each condition. Checks are given by name and severity."""
    state = PipelineState(catalog, {}, lambda _table: False)
    standing = [
        CheckSummary(
            "csq/current/users", name, None, passed=False, severity=severity, description=""
        )
        for name, severity in checks
    ]
    conditions = find_conditions(state, standing, NOON, key_prefix="csq")
    return [(one.subject, one.patience) for one in conditions]


def catalog(status: str) -> Catalog:
    """A dump that is not decoded, and a report of its sync."""
    manifest = SeenManifest(Delivered("manifests/12.json", "x", 1, NOON), "x", 12, ("users",))
    report = SyncReport(finish_time=NOON, status=status)
    return Catalog((manifest,), (SeenReport(Delivered("r.json", "x", 1, NOON), report),))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("succeeded", [("csq/current/users: complete", timedelta(hours=1))]),
        ("failed", [(WAITS, timedelta(0))]),
    ],
)
def test_a_pending_dump_is_told_after_an_hour_unless_it_has_to_wait(
    status: str, expected: list[tuple[str, timedelta]]
) -> None:
    assert found(catalog(status), ("complete", "WARN")) == expected


def test_of_what_follows_from_a_failed_partition_nothing_is_told_beside_it() -> None:
    checks = (("complete", "ERROR"), ("no_gap", "ERROR"), ("unique_key", "ERROR"))
    assert found(Catalog(), *checks, ("columns_kept", "WARN"), ("sync_on_time", "WARN")) == [
        ("csq/current/users: unique_key", timedelta(0)),
        ("csq/current/users: sync_on_time", timedelta(0)),
    ]
