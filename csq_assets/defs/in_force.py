"""What of the lake is in force, as the warehouse takes it: frames pass between the two here."""

from collections.abc import Collection, Iterator
from functools import partial

from csq_assets.dataconnect.ledger import TableRecord, plans
from csq_assets.dataconnect.overview import Overview
from csq_assets.dataconnect.plan import DumpStatus, TablePlan
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS, USER_MIGRATIONS
from csq_assets.lake.judging import read_schema
from csq_assets.lake.locations import Lake
from csq_assets.warehouse.ingest import DumpContent
from csq_assets.warehouse.meta import DumpRow, ReportRow


class InForce:
    """The dumps whose rows count, table by table. `contents` says what each one's content is.

    Property definitions stand among the tables, with every dump that has them.
    """

    def __init__(self, lake: Lake, overview: Overview) -> None:
        self._lake = lake
        self._overview = overview
        self._every_plan = plans(overview.records.values())
        self.plans = overview.plans()
        self.contents: dict[str, dict[int, str]] = {}
        for table, plan in self.plans.items():
            self.contents[table] = dict(self._told_by(table, plan.apply))
        definitions = dict(self._told_by(PROPERTY_DEFINITIONS, overview.records))
        if definitions:
            self.contents[PROPERTY_DEFINITIONS] = definitions

    def dumps(self, table: str) -> list[DumpContent]:
        """The dumps that make the table, lowest first."""
        return [
            DumpContent(
                dump_id,
                content,
                partial(self._columns, table, dump_id),
                partial(self._lake.store.local_file, table, dump_id, digest=content),
            )
            for dump_id, content in self.contents.get(table, {}).items()
        ]

    def migrations(self) -> DumpContent | None:
        """The newest `user_migrations` that was applied; if it is skipped by now, before it was."""
        plan = self._every_plan.get(USER_MIGRATIONS, TablePlan())
        for dump_id, content in self._told_by(USER_MIGRATIONS, plan.apply[-1:]):
            parquet = partial(self._lake.store.local_file, USER_MIGRATIONS, dump_id, digest=content)
            return DumpContent(dump_id, content, tuple, parquet)
        return None

    def dump_rows(self) -> list[DumpRow]:
        """What `csq_meta.dumps` is to say: each table of each dump that was tried or refused."""
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
        """What `csq_meta.sync_reports` is to say: the reports that can be read."""
        return [
            ReportRow(
                report=seen.object.key,
                start_time=seen.report.start_time,
                finish_time=seen.report.finish_time,
                status=seen.report.status,
                next_sync_at=seen.report.next_sync_at,
                error=seen.report.error,
            )
            for seen in self._overview.catalog.reports
            if seen.problem is None
        ]

    def _statuses(self) -> Iterator[tuple[int, TableRecord, DumpStatus]]:
        refused = self._overview.catalog.names(self._overview.skips).refused
        statuses = {table: plan.statuses() for table, plan in self._every_plan.items()}
        for dump_id, dump in self._overview.records.items():
            for record in dump.tables:
                if record.table in refused:
                    yield dump_id, record, "failed"
                elif status := statuses.get(record.table, {}).get(dump_id):
                    yield dump_id, record, status

    def _columns(self, table: str, dump_id: int) -> tuple[str, ...]:
        return read_schema(self._lake.store, table, dump_id).manifest_columns

    def _told_by(self, table: str, dump_ids: Collection[int]) -> Iterator[tuple[int, str]]:
        for dump_id in dump_ids:
            record = self._overview.records[dump_id].table(table)
            if record is not None and record.content is not None:
                yield dump_id, record.content.digest
