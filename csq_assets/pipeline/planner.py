"""Plans a pass: looks at the export, the lake and the DuckDB file, and says what is to be done.

The sensor and `csq sync` both follow it; they differ only in who executes the runs.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from csq_assets.dataconnect.chosen_types import ChosenTypes
from csq_assets.dataconnect.dump_records import DumpRecord, Failure
from csq_assets.dataconnect.intake import Intake, Work, decide, takeable_tables
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.tables import USER_MIGRATIONS
from csq_assets.dbt_project import DbtProject
from csq_assets.errors import UsageError
from csq_assets.lake.discovery import Discovery, discover
from csq_assets.lake.export import Export
from csq_assets.lake.locations import Lake
from csq_assets.pipeline.applied_documents import AppliedDocuments
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.pipeline.lake_guard import refuse_other_lake
from csq_assets.pipeline.type_file import read_chosen_types
from csq_assets.publish.open import place_of
from csq_assets.settings import Settings
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.marts_state import stale_version
from csq_assets.warehouse.publications import unpublished
from csq_assets.warehouse.staleness import Applied, read_applied_file

_SHOWN = 5  # dumps in a message


@dataclass(frozen=True, slots=True)
class DecodePlan:
    """What was found, and what to decode: `intake.take`, which is in the ledger by now.

    `records` are what became of the dumps until this pass.
    """

    discovery: Discovery
    intake: Intake
    records: Mapping[int, DumpRecord]

    @property
    def decode(self) -> tuple[Work, ...]:
        """One run each, lowest dump first."""
        return tuple(work for work in self.intake.take if work.tables)

    def with_more(self, more: Iterable[Work]) -> "DecodePlan":
        """The plan with that work as well."""
        tables = {work.dump_id: work.tables for work in self.intake.take}
        for work in more:
            tables[work.dump_id] = (*tables.get(work.dump_id, ()), *work.tables)
        take = tuple(Work(dump_id, tables[dump_id]) for dump_id in sorted(tables))
        return replace(self, intake=replace(self.intake, take=take))


@dataclass(frozen=True, slots=True)
class RefreshPlan:
    """What the warehouse lacks. `fingerprint` tells one need of a refresh from another."""

    tables: tuple[str, ...] = ()  # current tables that are behind, in the order first seen
    is_behind: bool = False  # they are, or only `csq_meta` is, or a table is to be dropped
    fingerprint: str = ""

    def of_tables(self, tables: Collection[str]) -> "RefreshPlan":
        """The plan for these tables only: others have no assets yet."""
        return replace(self, tables=tuple(table for table in self.tables if table in tables))


@dataclass(frozen=True, slots=True)
class Planner:
    """For one lake and one DuckDB file, with a copy of it at `snapshot`, published at `place`. `types`
    are those that somebody chose. With the engine `spark` there is no file: the lake knows."""

    lake: Lake
    warehouse: Path
    snapshot: Path | None
    skips: Callable[[str], bool]
    types: ChosenTypes = field(default_factory=ChosenTypes)
    place: str | None = None
    engine: str = "duckdb"

    def check_lake(self, *, wait_seconds: float) -> None:
        """Raise SettingsError where the DuckDB file was filled from another lake, or from one that knew
        more; BusyError where another process keeps the file for longer than `wait_seconds`."""
        applied = self._applied(wait_seconds)
        known = self.lake.ledger.dump_ids() if applied.contents else ()  # a listing, however many
        refuse_other_lake(self.lake, known, applied.lake, applied.dump_ids)

    def plan_decoding(
        self,
        export: Export,
        now: datetime,
        *,
        retry: Callable[[Failure], bool] = lambda _failure: True,
        only_dump: int | None = None,
    ) -> DecodePlan:
        """Look at the export, fold the ledger, and decide what to decode; with `only_dump`, that dump
        alone, even one that waits. What is to be decoded is entered into the ledger.

        Raises UsageError for a dump that is unknown, SettingsError where CSQ_TYPES names a table that
        nobody knows, SettingsError or StorageError where the export or the lake cannot be used.
        """
        self.lake.documents.ensure_identity()
        self.lake.store.remove_unfinished_writes(now)
        discovery = discover(export, self.lake.documents)
        tables = {table for seen in discovery.catalog.manifests for table in seen.tables}
        if tables:  # else nothing was delivered yet
            self.types.refuse_unknown(tables)
        records = self.lake.ledger.fold()
        partitions = self.lake.store.partitions()
        intake = decide(
            discovery.catalog, records, partitions, now, skips=self.skips, may_retry=retry
        )
        if only_dump is not None:
            intake = Intake(
                (self._whole_dump(discovery, only_dump),), intake.wait, intake.wait_reason
            )
        self.lake.ledger.take((work.dump_id for work in intake.take), records)
        return DecodePlan(discovery, intake, records)

    def freed(self, plan: DecodePlan, now: datetime) -> tuple[Work, ...]:
        """What the plan has made due by its own work: a full resync is delivered again as an increment,
        which failed until now, and what the resync made void counts again.
        """
        known = (plan.records.get(work.dump_id) for work in plan.decode)
        tables = (table for record in known if record for table in record.tables)
        if not any(one.failure and one.content and not one.content.incremental for one in tables):
            return ()
        records, partitions = self.lake.ledger.records(), self.lake.store.partitions()
        due = decide(plan.discovery.catalog, records, partitions, now, skips=self.skips).take
        tried = {(work.dump_id, table) for work in plan.decode for table in work.tables}
        left = (
            Work(work.dump_id, tuple(t for t in work.tables if (work.dump_id, t) not in tried))
            for work in due
        )
        return tuple(work for work in left if work.tables)

    def state(self, plan: DecodePlan | None = None) -> PipelineState:
        """What the lake remembers now. Where `plan` found nothing to take, it has read most of it."""
        if plan is None or plan.intake.take:
            return self.lake.state(self.skips)
        relations = self.lake.documents.relations()
        return PipelineState(plan.discovery.catalog, plan.records, self.skips, relations)

    def plan_refresh(
        self, state: PipelineState, also: Collection[str] = (), *, wait_seconds: float
    ) -> RefreshPlan:
        """Compare the DuckDB file with the lake. The tables in `also` are refreshed anyway.

        Raises StorageError where another process keeps the file for longer than `wait_seconds`.
        """
        effective = EffectiveDumps(self.lake, state)
        applied = self._applied(wait_seconds)
        behind = applied.stale_tables(effective.contents, self.types.pins)
        stale = {table for table in behind if not self.skips(table)}
        stale |= {table for table, facts in effective.facts.items() if facts.unapplied}
        stale |= {
            table
            for table in applied.stale_dump_rows(effective.dump_rows)
            if table not in applied.contents or not self.skips(table)
        }
        stale.update(also)
        reports = effective.report_rows()
        migrations = effective.migrations()
        made_from = (migrations.dump_id, migrations.content) if migrations else None
        if USER_MIGRATIONS in stale or applied.migrations != made_from:
            stale.update(effective.plans)  # ids may resolve otherwise, in every table
        is_behind = bool(stale) or applied.lacks_reports(reports)
        tables = tuple(table for table in effective.plans if table in stale)
        wanted = {table: effective.contents.get(table) for table in sorted(stale)}
        return RefreshPlan(tables, is_behind, fingerprint=f"{wanted} {self.types.pins} {reports}")

    def stale_marts(self, project: DbtProject | None, *, wait_seconds: float) -> str | None:
        """The version that the marts are to be built from, None where they are, or are not wanted.

        Raises BusyError where another process keeps the file for longer than `wait_seconds`.
        """
        if project is None:
            return None
        return stale_version(self.warehouse, project.digest, wait_seconds=wait_seconds)

    def snapshot_is_behind(self, *, unrecorded: bool = False) -> bool:
        """Whether the copy of the DuckDB file is wanted, and `unrecorded` or older than the file."""
        if self.snapshot is None or not self.warehouse.exists():
            return False
        return (
            unrecorded
            or not self.snapshot.exists()
            or self.snapshot.stat().st_mtime < self._written_at()
        )

    def _written_at(self) -> float:
        """When the DuckDB file got its newest transaction, which may still be in the log beside it: a
        full disk keeps it there."""
        log = self.warehouse.with_name(f"{self.warehouse.name}.wal")
        with suppress(FileNotFoundError):
            return max(self.warehouse.stat().st_mtime, log.stat().st_mtime)
        return self.warehouse.stat().st_mtime

    def plan_publication(
        self, unrecorded: Iterable[str] = (), *, wait_seconds: float
    ) -> frozenset[str]:
        """The relations that are not published as they stand, or that are gone, with those that are
        `unrecorded`; none where nothing is to be published. Raises BusyError as `check_lake` does."""
        if self.place is None or not self.warehouse.exists():
            return frozenset()
        with open_warehouse(
            self.warehouse, read_only=True, wait_seconds=wait_seconds
        ) as connection:
            return unpublished(connection, self.place).union(unrecorded)

    def _applied(self, wait_seconds: float) -> Applied:
        if self.engine == "spark":
            return AppliedDocuments(self.lake).applied()
        return read_applied_file(self.warehouse, wait_seconds=wait_seconds)

    def _whole_dump(self, discovery: Discovery, dump_id: int) -> Work:
        dumps = discovery.catalog.dumps()
        seen = dumps.get(dump_id)
        if seen is None:
            known = ", ".join(map(str, list(dumps)[-_SHOWN:])) or "none"
            raise UsageError(
                f"there is no dump {dump_id} in the export",
                remedy=f"The newest dumps are: {known}.",
            )
        names = discovery.catalog.names(self.skips)
        return Work(dump_id, takeable_tables(names, seen, self.skips))


def planner_of(settings: Settings, lake: Lake, warehouse: Path) -> Planner:
    """The planner of a pass. Raises SettingsError where the file of CSQ_TYPES cannot be read."""
    return Planner(
        lake,
        warehouse,
        settings.snapshot_path,
        settings.skips,
        read_chosen_types(settings.types_path),
        place=place_of(settings),
        engine=settings.engine,
    )
