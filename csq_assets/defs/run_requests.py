"""From a plan to run requests: one run for each dump, one for a refresh.

The daemon executes them for the sensor, `csq sync` in its own process. No request selects checks: a
step evaluates those of its asset all the same, and Dagster need not plan each of them.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from csq_assets.dataconnect.intake import Work
from csq_assets.dataconnect.tables import may_hold_events
from csq_assets.defs.keys import (
    ALL_EVENTS_KEY,
    CURRENT_JOB,
    META,
    RAW_JOB,
    SNAPSHOT,
    USER_IDENTITY,
    current_key,
    partition_key,
    raw_key,
    step_name,
)
from csq_assets.pipeline.planner import RefreshPlan

FINGERPRINT_TAG = "csq/refresh"
PARTITION_TAG = "dagster/partition"
HEADLESS = {"csq/headless": "true"}  # runs that csq executes in its own process

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def decode_request(work: Work, content: str, *, attempt: int = 1) -> dg.RunRequest:
    """The run that decodes these tables of a dump. `content` is the SHA-256 of its manifest."""
    return dg.RunRequest(
        run_key=f"{work.dump_id}:{content[:16]}:{attempt}",
        job_name=RAW_JOB,
        partition_key=partition_key(work.dump_id),
        asset_selection=[raw_key(table) for table in work.tables],
        asset_check_keys=[],
    )


def refresh_request(plan: RefreshPlan, *, attempt: int = 1) -> dg.RunRequest:
    """The run that brings the warehouse up to date."""
    fingerprint = hashlib.sha256(plan.fingerprint.encode()).hexdigest()[:16]
    return dg.RunRequest(
        run_key=f"{fingerprint}:{attempt}",
        job_name=CURRENT_JOB,
        asset_selection=[META, *current_selection(plan.tables)],
        asset_check_keys=[],
        tags={FINGERPRINT_TAG: fingerprint},
    )


def snapshot_request(now: datetime) -> dg.RunRequest:
    """The run that publishes the snapshot. On its own: a table that fails does not hold it back."""
    return dg.RunRequest(
        run_key=f"snapshot:{now.isoformat()}",
        job_name=CURRENT_JOB,
        asset_selection=[SNAPSHOT],
        tags={FINGERPRINT_TAG: "snapshot"},
    )


def rebuild_request(tables: Sequence[str]) -> dg.RunRequest:
    """The run that replays these tables from the lake, and the identity map before them."""
    config = {
        step_name(key): {"config": {"rebuild": True}}
        for key in (USER_IDENTITY, *map(current_key, tables))
    }
    return dg.RunRequest(
        job_name=CURRENT_JOB,
        asset_selection=[META, *current_selection(tables)],
        run_config={"ops": config},
    )


def current_selection(tables: Sequence[str]) -> list[dg.AssetKey]:
    """The identity map, these tables, and all events if one of them can have some."""
    events = [ALL_EVENTS_KEY] if any(map(may_hold_events, tables)) else []
    return [USER_IDENTITY, *map(current_key, tables), *events]
