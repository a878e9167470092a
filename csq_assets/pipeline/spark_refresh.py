"""A refresh on Spark: each step is a job that somebody launches, and what it answers is remembered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from csq_assets.dataconnect.audits import IdentityAudit, TableAudit
from csq_assets.dataconnect.checks import Finding
from csq_assets.dataconnect.column_types import TypeAudit
from csq_assets.dataconnect.tables import USER_MIGRATIONS, current_asset
from csq_assets.lake.locations import Lake
from csq_assets.pipeline.applied_documents import AppliedDocuments, AppliedRelation
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.pipeline.outcomes import Outcomes, RefreshedIdentity, RefreshedTable
from csq_assets.spark.messages import (
    Answer,
    AuditTable,
    Partition,
    RefreshEvents,
    RefreshIdentity,
    RefreshTable,
    Work,
)
from csq_assets.spark.names import refuse_clash
from csq_assets.warehouse.partition_files import DumpContent, read_columns

Launch = Callable[[Work], Answer]


@dataclass(slots=True, eq=False)
class SparkRefresh:
    """The steps of a refresh. `launch` has a job do a piece of work; it raises StorageError where that
    fails."""

    lake: Lake
    effective: EffectiveDumps
    launch: Launch
    buckets: int = 16
    uses: Callable[[str], Mapping[str, tuple[str, ...]]] = lambda _asset: {}
    _types: dict[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])

    def refresh_identity(self, *, rebuild: bool = False) -> RefreshedIdentity:
        """Bring `user_identity` up to date: every table builds on it."""
        migrations = self.effective.migrations()
        wanted = self._partition(USER_MIGRATIONS, migrations) if migrations else None
        answer = self.launch(RefreshIdentity(wanted, rebuild))
        made_from = (migrations.dump_id, migrations.content) if migrations else None
        self._documents.save(AppliedRelation("", {}, made_from))
        self._types["user_identity"] = answer.columns
        return self._outcomes.identity(answer.identity or IdentityAudit())

    def evaluate_identity(self) -> tuple[Finding, ...]:
        """What the check finds in the map as it stands: a job with nothing to do tells."""
        return self.refresh_identity().findings

    def refresh_table(self, table: str, *, rebuild: bool = False) -> RefreshedTable:
        """Bring one current table up to date. Raises NameClashError where another has its name."""
        refuse_clash(table, self.effective.plans, self._documents.tables())
        identity = self._documents.identity()
        dumps = self.effective.dumps(table)
        wanted = tuple(self._partition(table, dump) for dump in dumps)
        answer = self.launch(RefreshTable(table, wanted, rebuild, self.buckets))
        if dumps:
            contents = {dump.dump_id: dump.content for dump in dumps}
            self._documents.save(AppliedRelation(table, contents, identity))
        else:
            self._documents.forget(table)
        return self._finish(table, answer)

    def evaluate_table(self, table: str) -> tuple[Finding, ...]:
        """What the checks find in the table as it stands, over all its rows."""
        return self._finish(table, self.launch(AuditTable(table))).findings

    def count_events(self) -> int:
        """Bring `all_events` up to date; its rows."""
        # Also those that are skipped now, which stay.
        tables = {*self.effective.plans, *self._documents.tables()}
        answer = self.launch(RefreshEvents(tuple(sorted(tables))))
        self._types["all_events"] = answer.columns
        return answer.rows

    def refresh_meta(self) -> None:
        """Drop tables that no dump lists any more. `csq_meta` has no other relation here."""
        listed, skips = self.effective.contents, self.effective.state.skips
        for table in self._documents.tables():
            if table not in listed and not skips(table):
                self.launch(RefreshTable(table, ()))
                self._documents.forget(table)
                self.lake.documents.forget_relation(current_asset(table))

    def types(self, schema: str, relation: str) -> Mapping[str, str]:
        """The columns of the Iceberg table, each with its type, as its step told."""
        del schema
        return self._types.get(relation, {})

    def _finish(self, table: str, answer: Answer) -> RefreshedTable:
        self._types[table] = answer.columns
        audit = answer.table or TableAudit(table)
        return self._outcomes.table(table, answer.state, audit, TypeAudit())

    def _partition(self, table: str, dump: DumpContent) -> Partition:
        columns = read_columns([dump])[dump.dump_id]
        path = self.lake.store.location(table, dump.dump_id)
        rows = self.effective.rows(table, dump.dump_id)
        return Partition(dump.dump_id, dump.content, path, columns, rows)

    @property
    def _documents(self) -> AppliedDocuments:
        return AppliedDocuments(self.lake)

    @property
    def _outcomes(self) -> Outcomes:
        return Outcomes(self.effective, self.lake.documents, self.uses)
