"""The dumps whose rows count, from the lake, in the form that the warehouse takes."""

from collections.abc import Collection, Iterator
from functools import cached_property, partial

from csq_assets.dataconnect.current_checks import CurrentFacts
from csq_assets.dataconnect.dump_records import TableRecord
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.plan import DumpStatus, TablePlan, plans
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS, USER_MIGRATIONS
from csq_assets.lake.locations import Lake
from csq_assets.lake.partition_facts import read_facts
from csq_assets.warehouse.meta import DumpRow, ReportRow
from csq_assets.warehouse.partition_files import DumpContent


class EffectiveDumps:
    """By table, the dumps that make it. `contents` gives the digest of each dump's content.

    Property definitions are among the tables, with every dump that has them.
    """

    def __init__(self, lake: Lake, state: PipelineState) -> None:
        self.state = state
        self._store = lake.store
        self._every_plan = plans(state.records.values())
        self.plans = state.plans()
        self.contents: dict[str, dict[int, str]] = {
            table: dict(self._digests(table, plan.apply)) for table, plan in self.plans.items()
        }
        definitions = dict(self._digests(PROPERTY_DEFINITIONS, state.records))
        if definitions:
            self.contents[PROPERTY_DEFINITIONS] = definitions

    def dumps(self, table: str) -> list[DumpContent]:
        """The dumps that make the table, lowest first."""
        contents = self.contents.get(table, {})
        return [self._content(table, dump_id, digest) for dump_id, digest in contents.items()]

    def rows(self, table: str, dump_id: int) -> int:
        """The rows of the partition of a dump that counts."""
        record = self.state.records[dump_id].table(table)
        return record.content.rows if record and record.content else 0

    def migrations(self) -> DumpContent | None:
        """The newest applied `user_migrations`. If it is skipped by now, the one from before."""
        plan = self._every_plan.get(USER_MIGRATIONS, TablePlan())
        for dump_id, digest in self._digests(USER_MIGRATIONS, plan.apply[-1:]):
            return self._content(USER_MIGRATIONS, dump_id, digest)
        return None

    @cached_property
    def facts(self) -> dict[str, CurrentFacts]:
        """What the lake knows of each current table."""
        return self.state.current_facts()

    @cached_property
    def dump_rows(self) -> list[DumpRow]:
        """The rows of `csq_meta.dumps`: each table of each dump that was tried or refused."""
        return [
            DumpRow(
                dump_id=dump_id,
                table_name=record.table,
                incremental=record.incremental,
                files=record.files,
                rows=record.content.rows if record.content else None,
                status=status,
            )
            for dump_id, record, status in self._statuses()
        ]

    def report_rows(self) -> list[ReportRow]:
        """The rows of `csq_meta.sync_reports`: the reports that can be read."""
        return [
            ReportRow(
                report=seen.object.key,
                start_time=seen.report.start_time,
                finish_time=seen.report.finish_time,
                status=seen.report.status,
                next_sync_at=seen.report.next_sync_at,
                error=seen.report.error,
            )
            for seen in self.state.catalog.reports
            if seen.problem is None
        ]

    def _statuses(self) -> Iterator[tuple[int, TableRecord, DumpStatus]]:
        refused = self.state.catalog.names(self.state.skips).refused
        statuses = {table: plan.statuses() for table, plan in self._every_plan.items()}
        for dump_id, dump in self.state.records.items():
            for record in dump.tables:
                if record.table in refused:
                    yield dump_id, record, "failed"
                elif status := statuses.get(record.table, {}).get(dump_id):
                    yield dump_id, record, status

    def _content(self, table: str, dump_id: int, digest: str) -> DumpContent:
        return DumpContent(
            dump_id,
            digest,
            partial(self._columns, table, dump_id),
            partial(self._store.local_file, table, dump_id, digest=digest),
        )

    def _columns(self, table: str, dump_id: int) -> tuple[str, ...]:
        return read_facts(self._store, table, dump_id).schema.manifest_columns

    def _digests(self, table: str, dump_ids: Collection[int]) -> Iterator[tuple[int, str]]:
        for dump_id in dump_ids:
            record = self.state.records[dump_id].table(table)
            if record is not None and record.content is not None:
                yield dump_id, record.content.digest
