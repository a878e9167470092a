"""From a plan to run requests: one run for each dump, one for a refresh.

The daemon executes them for the sensor, `csq sync` in its own process. No request selects checks: a
step evaluates those of its asset all the same, and Dagster need not plan each of them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

import dagster as dg

from csq_assets.dataconnect.intake import Work
from csq_assets.dataconnect.tables import may_hold_events
from csq_assets.defs.keys import Keys, partition_key, step_name
from csq_assets.pipeline.planner import RefreshPlan

PARTITION_TAG = "dagster/partition"
REFRESH = "refresh"  # the tag of refreshes: what was to be refreshed, or one of these
SNAPSHOT_REFRESH, PUBLICATION = FOR_OTHER_READERS = ("snapshot", "publication")


def headless_tags(keys: Keys) -> dict[str, str]:
    """Of the runs that csq executes in its own process."""
    return {keys.tag("headless"): "true"}


UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
AT_WORK = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def is_ours(run: dg.DagsterRun, keys: Keys) -> bool:
    """Whether the run writes what the export of `keys` has. One for the marts selects no asset."""
    ours = f"{keys.prefix}/"
    return run.job_name in (keys.raw_job, keys.current_job, keys.marts_job) or any(
        key.to_user_string().startswith(ours) for key in run.asset_selection or ()
    )


def decode_request(keys: Keys, work: Work, content: str, *, attempt: int = 1) -> dg.RunRequest:
    """The run that decodes these tables of a dump. `content` is the SHA-256 of its manifest."""
    return dg.RunRequest(
        run_key=f"{work.dump_id}:{content[:16]}:{attempt}",
        job_name=keys.raw_job,
        partition_key=partition_key(work.dump_id),
        asset_selection=[keys.raw(table) for table in work.tables],
        asset_check_keys=[],
    )


def refresh_request(keys: Keys, plan: RefreshPlan, *, attempt: int = 1) -> dg.RunRequest:
    """The run that brings the warehouse up to date."""
    fingerprint = hashlib.sha256(plan.fingerprint.encode()).hexdigest()[:16]
    return dg.RunRequest(
        run_key=f"{fingerprint}:{attempt}",
        job_name=keys.current_job,
        asset_selection=[keys.meta, *current_selection(keys, plan.tables)],
        asset_check_keys=[],
        tags={keys.tag(REFRESH): fingerprint},
    )


def snapshot_request(keys: Keys, now: datetime) -> dg.RunRequest:
    """The run that publishes the snapshot. On its own: a table that fails does not hold it back."""
    return dg.RunRequest(
        run_key=f"snapshot:{now.isoformat()}",
        job_name=keys.current_job,
        asset_selection=[keys.snapshot],
        tags={keys.tag(REFRESH): SNAPSHOT_REFRESH},
    )


def publication_request(
    keys: Keys, relations: Iterable[str], now: datetime, *, purges: bool = False
) -> dg.RunRequest:
    """The run that publishes these relations for other engines. On its own: whatever a catalog says,
    the refresh stays good. With `purges`, nothing is left of earlier versions."""
    selection = [keys.published(relation) for relation in sorted(relations)]
    config = {step_name(key): {"config": {"purge": True}} for key in selection} if purges else {}
    return dg.RunRequest(
        run_key=f"publication:{now.isoformat()}",
        job_name=keys.current_job,
        asset_selection=selection,
        run_config={"ops": config},
        tags={keys.tag(REFRESH): PUBLICATION},
    )


def marts_request(keys: Keys, version: str, *, attempt: int = 1) -> dg.RunRequest:
    """The run that builds the marts from that version of the current tables, with their checks."""
    return dg.RunRequest(
        run_key=f"marts:{version[:16]}:{attempt}",
        job_name=keys.marts_job,
        tags={keys.tag(REFRESH): f"marts:{version[:16]}"},
    )


def rebuild_request(keys: Keys, tables: Sequence[str]) -> dg.RunRequest:
    """The run that replays these tables from the lake, and the identity map before them."""
    config = {
        step_name(key): {"config": {"rebuild": True}}
        for key in (keys.user_identity, *map(keys.current, tables))
    }
    return dg.RunRequest(
        job_name=keys.current_job,
        asset_selection=[keys.meta, *current_selection(keys, tables)],
        run_config={"ops": config},
    )


def current_selection(keys: Keys, tables: Sequence[str]) -> list[dg.AssetKey]:
    """The identity map, these tables, and all events if one of them can have some."""
    events = [keys.all_events] if any(map(may_hold_events, tables)) else []
    return [keys.user_identity, *map(keys.current, tables), *events]
