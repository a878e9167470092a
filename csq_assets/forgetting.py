"""`csq forget`: takes users out of the lake, the DuckDB file and its snapshot, and proves it.

Tombstones are written first, so that from then on nothing brings the users in again. Whatever ends this
before its end, the next call finishes it: everything is searched by hash.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
import polars as pl

from csq_assets.aws import s3_client
from csq_assets.dataconnect.certificate import (
    FORGET_AGAIN,
    Certificate,
    ForgottenUser,
    Left,
    Removed,
)
from csq_assets.dataconnect.identity import close_pairs
from csq_assets.dataconnect.tables import USER_MIGRATIONS
from csq_assets.dataconnect.tombstones import PAIR, Tombstones, digest_of
from csq_assets.defs.build import tables_in
from csq_assets.defs.keys import Keys
from csq_assets.defs.published_assets import published_relations
from csq_assets.defs.recovery import (
    fail_orphaned_runs,
    record_erased_partitions,
    runs_at_work,
    tables_of_broken_refresh,
)
from csq_assets.defs.run_requests import (
    publication_request,
    refresh_request,
    snapshot_request,
)
from csq_assets.errors import BusyError, CsqError, StorageError, UsageError
from csq_assets.headless import HeadlessRuns, Listener
from csq_assets.lake.erasure import delete_findings, erase_users, erased_tables
from csq_assets.lake.locations import Lake, open_lake, open_objects
from csq_assets.pipeline.pass_lock import pass_lock
from csq_assets.pipeline.planner import Planner, planner_of
from csq_assets.pipeline.user_traces import find_traces
from csq_assets.publish.open import publish_without_assets
from csq_assets.settings import Settings
from csq_assets.warehouse.compaction import compact
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.user_search import forget_changes, search_users

_WAIT_SECONDS = 60  # for another pass, for runs of Dagster's, and for the DuckDB file
_POLL_SECONDS = 1


def close_ids(settings: Settings, ids: Sequence[int]) -> frozenset[int]:
    """The ids, and every other that is the same user by the identity map in force.

    Raises StorageError where the lake cannot be read.
    """
    lake = open_lake(settings.lake_url, s3_client)
    plan = lake.state(lambda _table: False).plans().get(USER_MIGRATIONS)
    for dump_id in plan.apply[-1:] if plan else ():
        with lake.store.rows(USER_MIGRATIONS, dump_id) as rows:
            if not set(PAIR) <= set(rows.collect_schema()):
                break
            pairs = rows.select(pl.col(*PAIR).cast(pl.Int64, strict=False)).drop_nulls().collect()
        return close_pairs(pairs.iter_rows()).group_of(ids)
    return frozenset(ids)


def run_forget(
    settings: Settings, instance: dg.DagsterInstance, listener: Listener, ids: Iterable[int]
) -> Certificate:
    """Forget these users, and finish what an earlier call left unfinished.

    Raises SettingsError where the lake cannot be used, or is not the one that the DuckDB file was
    filled from; BusyError where another pass, a run of Dagster's, or who has the DuckDB file, does not
    end in time.
    """
    if settings.engine == "spark":
        raise UsageError(
            "csq forget cannot take anybody out of Iceberg tables",
            remedy="Forget with CSQ_ENGINE=duckdb, which empties the lake; then run csq rebuild with "
            "spark, and let Iceberg's expire_snapshots remove the snapshots from before.",
        )
    with pass_lock(settings.duckdb_path, wait_seconds=_WAIT_SECONDS):
        keys, began_at = Keys.of(settings), datetime.now(UTC)
        fail_orphaned_runs(instance, keys)
        lake = open_lake(settings.lake_url, s3_client)
        planner = planner_of(settings, lake, settings.duckdb_path)
        planner.check_lake(wait_seconds=_WAIT_SECONDS)
        before = lake.documents.tombstones()
        tombstones = before.with_ids(ids, began_at)
        lake.documents.save_tombstones(tombstones)
        _wait_for_runs(instance, keys)

        forgetting = _Forgetting(settings, keys, instance, listener, lake, planner, tombstones)
        forgetting.empty_lake()
        if settings.duckdb_path.exists():
            forgetting.empty_warehouse()
        else:
            delete_findings(lake)
        files = (settings.duckdb_path, settings.snapshot_path)
        published = settings.publish_url
        traces = find_traces(
            lake,
            [file for file in files if file and file.exists()],
            open_objects(published, s3_client, "CSQ_PUBLISH_URL") if published else None,
            tombstones,
            wait_seconds=_WAIT_SECONDS,
        )
        found = {digest_of(tombstones.salt, user_id) for user_id in forgetting.found}
        certificate = Certificate(
            lake=settings.lake_url,
            lake_identity=lake.documents.ensure_identity(),
            salt=tombstones.salt,
            began_at=began_at,
            ended_at=datetime.now(UTC),
            resumed=bool(before.unfinished),
            users=tuple(
                ForgottenUser(digest, tombstones.asked_at[digest], digest in found)
                for digest in tombstones.unfinished
            ),
            removed=tuple(forgetting.removed),
            replaced=tuple(forgetting.replaced),
            second_search=traces.searched,
            left=tuple(dict.fromkeys((*forgetting.left, *traces.left))),
        )
        if certificate.is_complete:
            lake.documents.save_tombstones(tombstones.finished())
        return certificate


@dataclass(slots=True)
class _Forgetting:
    """The steps of one call, and what they came to."""

    settings: Settings
    keys: Keys
    instance: dg.DagsterInstance
    listener: Listener
    lake: Lake
    planner: Planner
    tombstones: Tombstones
    found: set[int] = field(default_factory=set[int])
    removed: list[Removed] = field(default_factory=list[Removed])
    replaced: list[str] = field(default_factory=list[str])
    left: list[Left] = field(default_factory=list[Left])

    def empty_lake(self) -> None:
        """Every partition, and what killed processes left staged."""
        store = self.lake.store
        store.objects.abort_unfinished_uploads("raw/", datetime.now(UTC))
        self.lake.ledger.fold()
        self.listener.starts("searching", len(store.partitions()))
        for erased in erase_users(self.lake, self.tombstones):
            place = store.location(erased.table, erased.dump_id)
            self.listener.advances(f"{erased.table} of dump {erased.dump_id}")
            self.found |= erased.ids
            if erased.rows:
                self.removed.append(Removed(place, erased.rows))
            if erased.problem is not None:
                self.left.append(Left.of(place, erased.problem))
        record_erased_partitions(self.instance, self.keys, self.lake, self.lake.ledger.fold())

    def empty_warehouse(self) -> None:
        """The current tables follow the lake, and the marts those; then the file loses the blocks it
        freed. What is published and the snapshot follow."""
        before = self._rows_in_tables()
        state = self.planner.state()
        runs = HeadlessRuns(self.settings, self.instance, state.catalog, self.listener)
        tables = tables_in(state.catalog, self.settings)
        also = tables_of_broken_refresh(self.instance, self.keys, tables) | erased_tables(self.lake)
        plan = self.planner.plan_refresh(
            state, also & set(state.plans()), wait_seconds=_WAIT_SECONDS
        )
        if plan.is_behind:
            request = refresh_request(self.keys, plan)
            self.listener.starts("refreshing", len(request.asset_selection or ()))
            runs.execute(request)
        runs.build_marts(self.planner, wait_seconds=_WAIT_SECONDS)
        after = self._rows_in_tables(forget=True)
        self.removed += [Removed(name, rows) for name, rows in before.items() if name not in after]
        try:
            compact(
                self.settings.duckdb_path,
                memory_limit=self.settings.memory_limit,
                wait_seconds=_WAIT_SECONDS,
            )
            self.replaced.append(str(self.settings.duckdb_path))
        except StorageError as error:
            self.left.append(Left.of(str(self.settings.duckdb_path), error))
        if (published := self.settings.publish_url) is not None:
            request = publication_request(
                self.keys, published_relations(tables), datetime.now(UTC), purges=True
            )
            self._publish(runs, request, published)
            unpublished = self.planner.plan_publication(wait_seconds=_WAIT_SECONDS)
            if gone := unpublished - {*published_relations(tables)}:
                try:
                    publish_without_assets(
                        self.settings, s3_client, gone, wait_seconds=_WAIT_SECONDS
                    )
                except CsqError as error:
                    self.left.append(Left.of(published, error))
        if (snapshot := self.settings.snapshot_path) is not None:
            self._publish(runs, snapshot_request(self.keys, datetime.now(UTC)), str(snapshot))
        self.left += [Left("a run of Dagster's", error, FORGET_AGAIN) for error in runs.errors]

    def _publish(self, runs: HeadlessRuns, request: dg.RunRequest, place: str) -> None:
        failed = len(runs.errors)
        runs.execute(request)
        if len(runs.errors) == failed:
            self.replaced.append(place)

    def _rows_in_tables(self, *, forget: bool = False) -> dict[str, int]:
        """The rows that tables of csq_assets have of the users; with `forget`, after the last note of
        them is deleted."""
        with open_warehouse(
            self.settings.duckdb_path,
            memory_limit=self.settings.memory_limit,
            wait_seconds=_WAIT_SECONDS,
        ) as connection:
            if forget:
                forget_changes(connection, self.tombstones)
            held = [one for one in search_users(connection, self.tombstones) if one.is_own]
        return {
            one.name: max(other.rows for other in held if other.name == one.name) for one in held
        }


def _wait_for_runs(instance: dg.DagsterInstance, keys: Keys) -> None:
    """A run that began earlier may have read the tombstones before they were written."""
    give_up_at = time.monotonic() + _WAIT_SECONDS
    while running := runs_at_work(instance, keys):
        if time.monotonic() >= give_up_at:
            raise BusyError(
                f"run {running[0].run_id} of Dagster's is at work",
                remedy="Wait for it or terminate it, then run csq forget: it finishes what was asked.",
            )
        time.sleep(_POLL_SECONDS)
