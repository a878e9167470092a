"""Brings a current table in Iceberg to what contract.md, section 5, says of the dumps that count.

The rows that people see are in one table; those that lost only because two users became one are in
another, beside it. The commit of the first names the snapshot of the second, so a job that is killed
between the two has changed nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, reduce
from typing import Any

from csq_assets.dataconnect.audits import TableAudit
from csq_assets.dataconnect.tables import ID_COLUMNS, TableKind, catalog_name, kind_of
from csq_assets.errors import StorageError
from csq_assets.spark.changes import Changes
from csq_assets.spark.delivered import delivered_columns, read_partition
from csq_assets.spark.dialect import spark_sql
from csq_assets.spark.iceberg import IcebergTable
from csq_assets.spark.identity_job import IdentityTable
from csq_assets.spark.layout import Layout
from csq_assets.spark.messages import Answer, AuditTable, Partition, Place, RefreshTable
from csq_assets.spark.table_state import Commit
from csq_assets.spark.views import Views
from csq_assets.spark.writing import Writing
from csq_assets.warehouse.applied_state import AppliedDump, TableState
from csq_assets.warehouse.delivered_sql import arriving_ids, arriving_rows

_VIEWS = {"csq_meta.user_identity": "csq_identity"}


class CurrentTable:
    """One current table, and the table of its hidden rows."""

    def __init__(self, spark: Any, place: Place, table: str) -> None:
        self._spark, self._place, self._table = spark, place, table
        self.main = IcebergTable(spark, place, "", catalog_name(table))
        self.hidden = IcebergTable(spark, place, "_hidden", catalog_name(table))
        head = self.main.head()
        self.snapshot = head.snapshot if head else None
        self.commit = Commit.loaded(head.state) if head else None

    @cached_property
    def _identity(self) -> IdentityTable:
        return IdentityTable(self._spark, self._place)

    def refresh(self, work: RefreshTable) -> Answer:
        """Bring the table to what the dumps say. Raises StorageError; the table is unchanged."""
        known = self.commit
        if not work.dumps:
            self.main.drop()
            self.hidden.drop()
            audit = TableAudit(self._table, change="dropped" if known else "unchanged")
            return Answer(work.kind, table=audit)
        dumps = sorted(work.dumps, key=lambda dump: dump.dump_id)
        kind = kind_of(self._table, dumps[-1].columns)
        self._identity.show(_VIEWS["csq_meta.user_identity"])
        layout = _layout(kind, dumps)
        before = known.table if known and self._still_counts(known, dumps, kind, layout) else None
        before = None if work.rebuild else before
        applied = before.contents if before else {}
        new = [dump for dump in dumps if dump.dump_id not in applied]
        version = self._identity.version
        if before and not new and before.identity_version == version:
            return self._answer(work.kind, before, TableAudit(self._table))
        return self._apply(work, layout, before, new, version)

    def audit(self, work: AuditTable) -> Answer:
        """Look at all keys; change nothing."""
        if self.commit is None:
            return Answer(work.kind, table=TableAudit(self._table, audited_all=True))
        state = self.commit.table
        layout = Layout(state.columns)
        found = _duplicated(self._spark, self.main.frame(), layout, state.kind)
        state = replace(state, duplicated_keys=found)
        return self._answer(work.kind, state, TableAudit(self._table, audited_all=True))

    def _still_counts(
        self, known: Commit, dumps: Sequence[Partition], kind: TableKind, layout: Layout
    ) -> bool:
        """Whether new rows can be appended: all that was applied counts, and no column comes whose
        values were delivered before it was listed, or goes, or moves."""
        wanted = {(dump.dump_id, dump.content) for dump in dumps}
        there = self.main.columns()
        kept = [name for name in layout.types if name in there]
        added = [column for column, name in layout.shown.items() if name not in there]
        return (
            known.table.kind is kind
            and wanted.issuperset((dump.dump_id, dump.content) for dump in known.table.dumps)
            and kept == list(there)
            and not set(added) & set(known.delivered)
            and (layout.has_users or "user_id" not in known.delivered)
        )

    def _apply(
        self,
        work: RefreshTable,
        layout: Layout,
        before: TableState | None,
        new: Sequence[Partition],
        version: int,
    ) -> Answer:
        spark, kind = self._spark, kind_of(self._table, tuple(layout.shown))
        known = self.commit if before else None
        if known and known.hidden is not None:
            self.hidden.roll_back(known.hidden)  # what a killed job left
        if known:
            added = {n: t for n, t in layout.types.items() if n not in self.main.columns()}
            for table in (self.main, self.hidden) if kind.key else (self.main,):
                table.add_columns(
                    {n: t for n, t in added.items() if n not in table.columns()}, [*layout.types]
                )
        arriving = self._arriving_ids(new)
        views = Views(spark)
        changes = Changes(views, kind, layout)
        changes.stored(
            self.main.frame(self.snapshot) if known else None,
            self.hidden.frame(known.hidden) if known and kind.key else None,
        )
        changed = self._identity.changed_since(before.identity_version) if before else None
        changes.decide(arriving, changed)
        counts = changes.counts()
        rows_in = {dump.dump_id: 0 for dump in new} | dict(counts.arrived)
        for dump in new:
            if rows_in[dump.dump_id] != dump.rows:
                raise StorageError(
                    f"the partition has {rows_in[dump.dump_id]:,} rows, and the ledger knows of "
                    f"{dump.rows:,}: it was replaced while it was read",
                    where={"dump": dump.dump_id, "table": self._table},
                    remedy="Run csq sync again.",
                )
        changes.arrive(self._arriving_rows(new, layout))
        applied = [AppliedDump(d.dump_id, d.content, d.rows, d.columns) for d in new]
        dumps = (*(before.dumps if before else ()), *applied)
        delivered = dict.fromkeys(known.delivered if known else ())
        for dump in new:
            delivered |= dict.fromkeys(delivered_columns(spark, dump))
        state = TableState(
            kind,
            version,
            tuple(sorted(dumps, key=lambda dump: dump.dump_id)),
            (before.duplicates if before else 0) + counts.duplicates,
        )
        commit = Commit(state, known.hidden if known else None, tuple(delivered))
        writing = Writing(views, kind, layout, moves=counts.moved > 0)
        since = self.snapshot if known else None
        commit = writing.write(self.main, self.hidden, commit, buckets=work.buckets, since=since)
        views.close()
        state, rows = commit.table, sum(dump.rows for dump in applied)
        audit = TableAudit(
            self._table,
            change="appended" if known else "replayed",
            rows_in=rows,
            rows_new=rows - counts.updated - counts.lost,
            rows_updated=counts.updated,
            rows_reresolved=counts.moved,
            duplicates_dropped=counts.duplicates,
            users_merged=state.merged - (before.merged if before else 0),
            audited_all=not known,
        )
        return self._answer(work.kind, state, audit)

    def _arriving_ids(self, new: Sequence[Partition]) -> Any:
        ids = {name: name for name in ID_COLUMNS}
        frames = []
        for dump in new:
            read_partition(self._spark, dump, ids).createOrReplaceTempView("csq_delivered")
            views = {**_VIEWS, "delivered": "csq_delivered"}
            frames.append(self._spark.sql(spark_sql(arriving_ids(dump.dump_id), views)))
        return reduce(lambda one, other: one.unionByName(other), frames) if frames else None

    def _arriving_rows(self, new: Sequence[Partition], layout: Layout) -> Any:
        ids = {name: name for name in ID_COLUMNS}
        frames = []
        for dump in new:
            columns = {**ids, **layout.texts}
            read_partition(self._spark, dump, columns).createOrReplaceTempView("csq_delivered")
            views = {**_VIEWS, "delivered": "csq_delivered", "verdict": "csq_verdict"}
            rows = arriving_rows(layout.texts.values(), dump.dump_id)
            frames.append(self._spark.sql(spark_sql(rows, views)))
        return reduce(lambda one, other: one.unionByName(other), frames) if frames else None

    def _answer(self, kind: str, state: TableState, audit: TableAudit) -> Answer:
        rows = self.main.frame().count()
        audit = replace(
            audit,
            rows_delivered=state.rows_delivered,
            rows_kept=rows,
            duplicates_total=state.duplicates,
            merged_total=state.merged,
            duplicated_keys=state.duplicated_keys,
        )
        columns = self.main.columns()
        return Answer(kind, rows=rows, columns=columns, table=audit, state=state)


def _layout(kind: TableKind, dumps: Sequence[Partition]) -> Layout:
    applied = tuple(AppliedDump(d.dump_id, d.content, d.rows, d.columns) for d in dumps)
    return Layout(TableState(kind, dumps=applied).columns)


def _duplicated(spark: Any, frame: Any, layout: Layout, kind: TableKind) -> int:
    """The keys that more than one row has."""
    if not kind.key:
        return 0
    keys = [layout.shown[column] for column in kind.key]
    complete = frame.dropna(subset=keys)
    return complete.groupBy(*keys).count().where("count > 1").count()
