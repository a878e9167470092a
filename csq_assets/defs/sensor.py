"""`csq_sync_reports`: watches the export, and requests the runs that a pass needs."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import dagster as dg
from dagster._core.definitions.target import ExecutableDefinition

from csq_assets.dataconnect.intake import Work
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.dbt_project import DbtProject
from csq_assets.defs.code_reload import CodeReload
from csq_assets.defs.current_checks import record_current_checks
from csq_assets.defs.dead_runs import fail_dead_runs
from csq_assets.defs.external_assets import record_discovery, still_checked
from csq_assets.defs.keys import Keys
from csq_assets.defs.published_assets import published_relations
from csq_assets.defs.recovery import (
    fail_orphaned_runs,
    record_missing_partitions,
    tables_of_broken_refresh,
    unrecorded_for_readers,
)
from csq_assets.defs.resources import Resources
from csq_assets.defs.run_history import RUNS_AN_HOUR, RunHistory
from csq_assets.defs.run_requests import (
    PARTITION_TAG,
    UNFINISHED,
    decode_request,
    marts_request,
    publication_request,
    refresh_request,
    snapshot_request,
)
from csq_assets.defs.unlisted import record_unlisted
from csq_assets.errors import BusyError, StorageError
from csq_assets.pipeline.open_points import open_points
from csq_assets.pipeline.pass_lock import pass_lock
from csq_assets.pipeline.planner import DecodePlan, Planner, planner_of
from csq_assets.pipeline.problems import forget_unwanted
from csq_assets.pipeline.retries import RETRY_AFTER, retry_now
from csq_assets.settings import Settings

INTERVAL_SECONDS = 30
REFRESH_AGAIN_AFTER = timedelta(minutes=10)  # the same refresh
RUNS_AHEAD = 20  # decoding runs that are queued or running


def build_sync_reports_sensor(
    settings: Settings, tables: Sequence[str], jobs: Sequence[ExecutableDefinition]
) -> dg.SensorDefinition:
    """The sensor; `tables` are those that have assets in this code location."""
    with_assets = {*tables, PROPERTY_DEFINITIONS}
    keys, code_reload = Keys.of(settings), CodeReload()

    @dg.sensor(
        name=keys.sensor,
        jobs=jobs,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Looks for new sync reports and manifests. Requests a run for each new dump, then "
        "one that refreshes the current tables.",
        required_resource_keys={keys.export, keys.lake, keys.duckdb},
    )
    def sync_reports(
        context: dg.SensorEvaluationContext,
        **_given: object,  # the resources once more, where somebody calls the sensor directly
    ) -> dg.SensorResult | dg.SkipReason:
        resources = Resources(context.resources, keys)
        warehouse, now = Path(resources.duckdb.database), _now()
        try:
            with (
                pass_lock(warehouse, wait_seconds=0),
                still_checked(context.instance, keys, resources.lake, now),
            ):
                fail_orphaned_runs(context.instance, keys)
                fail_dead_runs(context.instance, keys)
                export = resources.export.open()
                planner = planner_of(settings, resources.lake.open(), warehouse)
                with suppress(BusyError):  # a refresh has the file, and checks the lake itself
                    planner.check_lake(wait_seconds=0)
                plan = planner.plan_decoding(export, now, retry=retry_now(export, now))
                record_discovery(context.instance, keys, plan.discovery, now)
                recorded = (*tables, PROPERTY_DEFINITIONS)
                record_unlisted(context.instance, keys, plan.discovery.catalog, recorded)
                reasons: list[str] = []
                try:
                    record_missing_partitions(context.instance, keys, planner.lake, plan.records)
                except StorageError as error:  # of one partition, which stops nothing else
                    reasons.append(str(error))
                return _Tick(
                    context=context,
                    settings=settings,
                    keys=keys,
                    planner=planner,
                    plan=plan,
                    with_assets=with_assets,
                    code_reload=code_reload,
                    now=now,
                    reasons=reasons,
                ).result()
        except BusyError as error:
            return dg.SkipReason(error.message)

    return sync_reports


@dataclass(kw_only=True, slots=True)
class _Tick:
    """What is requested, and the words for what is not."""

    context: dg.SensorEvaluationContext
    settings: Settings
    keys: Keys
    planner: Planner
    plan: DecodePlan
    with_assets: set[str]
    code_reload: CodeReload
    now: datetime
    reasons: list[str]

    @property
    def history(self) -> RunHistory:
        return RunHistory(self.context.instance)

    def result(self) -> dg.SensorResult:
        self.reasons += open_points(self.plan, self.planner.skips, RETRY_AFTER)
        decoding = self.history.runs(job_name=self.keys.raw_job, statuses=UNFINISHED)
        requests = self._decode([run.tags.get(PARTITION_TAG) for run in decoding])
        if decoding:
            self.reasons.append(f"decoding runs in progress: {len(decoding)}")
        elif not requests:
            requests = self._refresh()
        # A tick that requests runs shows no skip reason. To log is to write a file, which stays.
        for reason in self.reasons if requests else ():
            self.context.log.warning(reason)
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "; ".join(self.reasons) or "nothing new",
        )

    def _decode(self, in_progress: Sequence[str | None]) -> list[dg.RunRequest]:
        """Runs for the lowest dumps that none is in progress for, a bounded number."""
        known = self.plan.discovery.catalog.names(self.planner.skips).kept
        unknown = set(known) - self.with_assets  # also one that csq sync has taken
        if unknown:
            self.reasons.append(self.code_reload.request(self.context, unknown))
        ready = [
            Work(work.dump_id, tuple(table for table in work.tables if table in self.with_assets))
            for work in self.plan.decode
            if str(work.dump_id) not in in_progress
        ]
        room = max(RUNS_AHEAD - len(in_progress), 0)
        chosen = islice((work for work in ready if work.tables and self._may_run(work)), room)
        contents = self.plan.discovery.catalog.dumps()
        return [
            decode_request(
                self.keys,
                work,
                contents[work.dump_id].content,
                attempt=1
                + self.history.count(
                    {PARTITION_TAG: str(work.dump_id)}, job_name=self.keys.raw_job
                ),
            )
            for work in chosen
        ]

    def _may_run(self, work: Work) -> bool:
        """A run that was canceled or killed is repeated at once, but not without end."""
        tags = {PARTITION_TAG: str(work.dump_id)}
        recent = self.history.runs(
            job_name=self.keys.raw_job, tags=tags, created_after=self.now - RETRY_AFTER
        )
        if len(recent) < RUNS_AN_HOUR:
            return True
        self.reasons.append(f"dump {work.dump_id} had {len(recent)} runs within an hour; it waits")
        return False

    def _refresh(self) -> list[dg.RunRequest]:
        """A run that refreshes what is stale, else one for the marts, else one for other readers; none
        while such a run is in progress."""
        for job, what in (
            (self.keys.current_job, "a refresh is in progress"),
            (self.keys.marts_job, "the marts are being built"),
            (self.keys.maintenance_job, "the Iceberg tables are being compacted"),
        ):
            if self.history.runs(job_name=job, statuses=UNFINISHED):
                self.reasons.append(what)
                return []
        published = published_relations(tuple(self.with_assets))
        left = unrecorded_for_readers(self.context.instance, self.keys)
        broken = tables_of_broken_refresh(self.context.instance, self.keys, self.with_assets)
        try:
            state = self.planner.state(self.plan)
            plan = self.planner.plan_refresh(state, broken & set(state.plans()), wait_seconds=0)
            unpublished = self.planner.plan_publication(
                (one for one in published if self.keys.published(one) in left), wait_seconds=0
            )
        except BusyError as error:
            self.reasons.append(str(error))
            return []
        plan = plan.of_tables(self.with_assets)
        tags = refresh_request(self.keys, plan).tags
        refreshes = plan.is_behind and not self._was_tried(tags)
        told = self.with_assets - set(plan.tables if refreshes else ())  # the others by their steps
        instance, lake = self.context.instance, self.planner.lake
        state = forget_unwanted(lake.documents, state, self.settings)
        record_current_checks(instance, self.keys, lake, state, told)
        if refreshes:
            return [refresh_request(self.keys, plan, attempt=1 + self.history.count(tags))]
        return self._marts() or self._bring_up_to_date(
            unpublished & {*published}, snapshot_unrecorded=self.keys.snapshot in left
        )

    def _bring_up_to_date(
        self, relations: Collection[str], *, snapshot_unrecorded: bool
    ) -> list[dg.RunRequest]:
        """A run for other readers, if they are behind."""
        publication = publication_request(self.keys, relations, self.now)
        if relations and not self._was_tried(publication.tags):
            return [publication]
        snapshot = snapshot_request(self.keys, self.now)
        is_behind = self.planner.snapshot_is_behind(unrecorded=snapshot_unrecorded)
        return [snapshot] if is_behind and not self._was_tried(snapshot.tags) else []

    def _marts(self) -> list[dg.RunRequest]:
        version = self.planner.stale_marts(DbtProject.of(self.settings), wait_seconds=0)
        if version is None:
            return []
        tags = marts_request(self.keys, version).tags
        if self._was_tried(tags) or self.history.has_succeeded(tags):  # a test would fail again
            return []
        return [marts_request(self.keys, version, attempt=1 + self.history.count(tags))]

    def _was_tried(self, tags: Mapping[str, str]) -> bool:
        """Whether the same run failed within the last minutes."""
        if not self.history.was_tried(tags, self.now - REFRESH_AGAIN_AFTER):
            return False
        self.reasons.append("the last refresh failed; it is repeated after 10 minutes")
        return True


def _now() -> datetime:
    return datetime.now(UTC)
