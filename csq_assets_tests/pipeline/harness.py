"""Passes without Dagster: an export that is planned, decoded and refreshed, beside the oracle."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.checks import Finding, checks_on
from csq_assets.dataconnect.tables import IDENTITY_ASSET, current_asset
from csq_assets.errors import CsqError
from csq_assets.lake.erasure import erase_users
from csq_assets.lake.export import Export
from csq_assets.lake.locations import Lake, open_export, open_lake
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.pipeline.ingest import TableIngest
from csq_assets.pipeline.lake_guard import check_lake
from csq_assets.pipeline.planner import DecodePlan, Planner, RefreshPlan
from csq_assets.pipeline.refresh import Refresh
from csq_assets.warehouse.compaction import compact
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.engine import quote
from csq_assets.warehouse.user_search import forget_changes, search_users
from csq_assets_tests import builders, model
from csq_assets_tests.builders import AvroFile, ExportBuilder
from csq_assets_tests.model import IDS, Delivered
from csq_assets_tests.targets import DirectoryTarget
from csq_assets_tests.warehouse.deliveries import relation, relations

Key = tuple[int, str]  # one table of one dump
_ROWS_PER_FILE = 3


@dataclass(slots=True)
class _Manifest:
    """The newest manifest of a dump. `broken` gives, for tables with a damaged file, its path and the
    bytes that it should have."""

    delivery: builders.Delivery
    tables: Mapping[str, Delivered]
    broken: dict[str, tuple[str, bytes]]

    @property
    def files_now(self) -> dict[str, Delivered]:
        """The tables as a decoder finds them: without rows where a file is damaged."""
        return {
            name: Delivered(table.columns, None, table.incremental)
            if name in self.broken
            else table
            for name, table in self.tables.items()
        }


@dataclass(slots=True)
class Harness:
    """One export, its lake and its DuckDB file. Every pass is a new one, and knows only what they know.

    `oracle` is what a replay from nothing starts from: what has been tried of the export, in order.
    """

    folder: Path
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)
    oracle: list[model.Delivery] = field(default_factory=list)
    manifests: dict[int, _Manifest] = field(default_factory=dict)
    forgotten: set[int] = field(default_factory=set)
    _tried: dict[Key, tuple[bytes, Delivered]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._builder.report("2026-03-01")

    # What Contentsquare does.

    def deliver(
        self, dump_id: int, tables: Mapping[str, Delivered], *, broken: Collection[str] = ()
    ) -> None:
        """Write the dump; the last file of each `broken` table is not an Avro file.

        A manifest that stays the same leaves good files good: nobody looks at those again.
        """
        before = self.manifests.get(dump_id)
        delivery = self._builder.deliver(
            dump_id,
            tables={name: list(_files(table)) for name, table in tables.items()},
            columns={name: table.columns for name, table in tables.items()},
            full_resync=[name for name, table in tables.items() if not table.incremental],
            incremental=[name for name, table in tables.items() if table.incremental],
        )
        if before is not None and before.delivery.body == delivery.body:
            broken = set(broken) & set(before.broken)
        manifest = _Manifest(delivery, self._without(tables), {})
        for name in broken:
            path = self._builder.key_of(delivery.paths[name][-1])
            manifest.broken[name] = (path, self._builder.get(path))
            self._builder.put(path, b"not Avro")
        self.manifests[dump_id] = manifest

    def broken(self) -> list[Key]:
        """The tables with a damaged file."""
        return [
            (dump_id, name)
            for dump_id, manifest in sorted(self.manifests.items())
            for name in sorted(manifest.broken)
        ]

    def repair(self, dump_id: int, table: str) -> None:
        """Replace the damaged file in place."""
        self._builder.put(*self.manifests[dump_id].broken.pop(table))

    # What a pass does.

    def plan_decoding(self) -> DecodePlan:
        self.now += timedelta(minutes=1)
        return self._planner.plan_decoding(self._export, self.now)

    def decode(self, work: Iterable[Key], *, is_whole_plan: bool = True) -> None:
        """Decode these tables; tell the oracle, of a whole plan, what had to be decoded."""
        work = list(work)
        for dump_id, table in work:
            ingest = TableIngest(
                *self._lake.documents.manifest(dump_id),
                table,
                self._export,
                self._lake,
                lambda: self.now,
            )
            try:
                ingest.write(partial(self._lake.store.write, table, dump_id))
            except CsqError:
                assert (dump_id, table) in self.broken()
        self._tell_oracle(work, is_whole_plan=is_whole_plan)

    def plan_refresh(self) -> RefreshPlan:
        return self._planner.plan_refresh(self._planner.state(), wait_seconds=0)

    def refresh(self, steps: Sequence[str], *, rebuild: bool = False) -> None:
        """Execute steps of a refresh: names of tables, `IDENTITY` or `META`."""
        effective = EffectiveDumps(self._lake, self._planner.state())
        with open_warehouse(self._warehouse) as connection:
            check_lake(connection, self._lake, effective.state.records)
            refresh = Refresh(connection, effective, self._lake.documents, self.now)
            for step in steps:
                if step == IDENTITY:
                    refresh.refresh_identity(rebuild=rebuild)
                elif step == META:
                    refresh.refresh_meta()
                else:
                    findings = refresh.refresh_table(step, rebuild=rebuild).findings
                    assert [one.description for one in findings if _is_wrong(one)] == []

    def sync(self) -> None:
        """A whole pass, as `csq sync` executes it; then what it left is what the oracle says."""
        self._planner.check_lake(wait_seconds=0)
        planned = self.plan_decoding()
        self.decode(_keys(planned))
        freed = self._planner.freed(planned, self.now)
        self.decode(
            [(work.dump_id, name) for work in freed for name in work.tables], is_whole_plan=False
        )
        plan = self.plan_refresh()
        if plan.is_behind:
            self.refresh([META, IDENTITY, *plan.tables])
        self.check()
        self.check_nothing_to_do()

    def forget(self, ids: Collection[int]) -> None:
        """Take users out of lake and warehouse; to the oracle, nothing of them was ever delivered."""
        lake = self._lake
        lake.documents.save_tombstones(lake.documents.tombstones().with_ids(ids, self.now))
        assert [
            one.problem for one in erase_users(lake, lake.documents.tombstones()) if one.problem
        ] == []
        lake.ledger.fold()
        self.forgotten |= set(ids)
        for manifest in self.manifests.values():
            manifest.tables = self._without(manifest.tables)
        self.oracle = [
            model.Delivery(one.dump_id, self._without(one.tables)) for one in self.oracle
        ]
        self._tried = {
            (dump_id, name): (body, self._without_forgotten(name, table))
            for (dump_id, name), (body, table) in self._tried.items()
        }
        self.sync()
        with open_warehouse(self._warehouse) as connection:
            forget_changes(connection, lake.documents.tombstones())
        compact(self._warehouse, wait_seconds=0)
        with open_warehouse(self._warehouse, read_only=True) as connection:
            assert search_users(connection, lake.documents.tombstones()) == []

    # What must be true afterwards.

    def check(self) -> None:
        """Everything that analysts see is what a replay from nothing gives."""
        counting = model.counting_dumps(self.oracle)
        with duckdb.connect(str(self._warehouse), read_only=True) as connection:
            assert relations(connection) == model.current_tables(self.oracle)
            _check_nothing_lost(connection)
            events = relation(connection, "all_events").rows
            assert events == model.all_events(self.oracle)
            identity = connection.execute("FROM csq_meta.user_identity").fetchall()
            assert Counter(identity) == Counter(model.user_identity(counting).items())
            dumps = connection.execute(
                "SELECT dump_id, table_name, status, applied_at IS NOT NULL, rows FROM csq_meta.dumps"
            ).fetchall()
        applied = {
            (dump.dump_id, table): len(dump.rows or ())
            for table, held in counting.items()
            for dump in held
        }
        assert {(dump_id, table): status for dump_id, table, status, *_ in dumps} == (
            model.dump_statuses(self.oracle)
        )
        assert applied == {
            (dump_id, table): rows for dump_id, table, _, is_applied, rows in dumps if is_applied
        }
        state = self._planner.state()
        found = list(state.current_findings())
        assert model.tables_with_gap(self.oracle) == {
            table
            for table in counting
            if "no_gap" in [one.check for asset, one in found if asset == current_asset(table)]
        }
        rows = {asset: relation.rows for asset, relation in state.relations.items()}
        # Where nothing was delivered, the map may not have been refreshed yet.
        assert {IDENTITY_ASSET: 0} | rows == {IDENTITY_ASSET: len(identity)} | {
            current_asset(table): wanted.rows.total()
            for table, wanted in model.current_tables(self.oracle).items()
        }

    def check_nothing_to_do(self) -> None:
        """A second pass would only retry what has failed."""
        failed = [key for key, status in self._statuses() if status == "failed"]
        assert sorted(_keys(self.plan_decoding())) == sorted(failed)
        assert self.plan_refresh().is_behind is False

    def _without(self, tables: Mapping[str, Delivered]) -> dict[str, Delivered]:
        return {name: self._without_forgotten(name, table) for name, table in tables.items()}

    def _without_forgotten(self, name: str, table: Delivered) -> Delivered:
        columns = ["user_id"]
        if name == "user_migrations":
            columns = ["from_user_id", "to_user_id"]
        if table.rows is None:
            return table
        rows = [
            row
            for row in table.rows
            if not {model.strict(str(row.get(column))) for column in columns} & self.forgotten
        ]
        return Delivered(table.columns, tuple(rows), table.incremental)

    def rebuild(self) -> None:
        """Replay every table from the lake: the types are those that increments led to."""
        types = self._types()
        self.refresh([IDENTITY, *self._planner.state().plans()], rebuild=True)
        self.check()
        assert self._types() == types

    def _types(self) -> list[tuple[object, ...]]:
        with duckdb.connect(str(self._warehouse), read_only=True) as connection:
            return connection.execute("FROM csq_meta.column_types ORDER BY ALL").fetchall()

    def _statuses(self) -> Iterable[tuple[Key, str]]:
        return model.dump_statuses(self.oracle).items()

    def _tell_oracle(self, attempted: Collection[Key], *, is_whole_plan: bool) -> None:
        """What is void may stay as it is; all else that is new or had failed had to be tried."""
        due = {
            (dump_id, name): (manifest.delivery.body, table)
            for dump_id, manifest in self.manifests.items()
            for name, table in manifest.files_now.items()
        }
        due = {key: new for key, new in due.items() if self._is_due(key, new[0])}
        tried = {key: new for key, new in due.items() if is_whole_plan or key in attempted}
        statuses = model.dump_statuses([*self.oracle, *self._deliveries({**self._tried, **tried})])
        for key, new in tried.items():
            is_new = self._tried.get(key, (b"",))[0] != new[0]
            if is_new or key in attempted or statuses[key] != "void":
                self._tried[key] = new
        listed = {(dump_id, name) for dump_id, one in self.manifests.items() for name in one.tables}
        self._tried = {key: tried for key, tried in self._tried.items() if key in listed}
        self.oracle += self._deliveries(self._tried)

    def _is_due(self, key: Key, manifest: bytes) -> bool:
        if key not in self._tried:
            return True
        followed, table = self._tried[key]
        return followed != manifest or table.rows is None

    def _deliveries(self, tried: Mapping[Key, tuple[bytes, Delivered]]) -> list[model.Delivery]:
        return [
            model.Delivery(
                dump_id,
                {
                    name: tried[dump_id, name][1]
                    for name in manifest.tables
                    if (dump_id, name) in tried
                },
            )
            for dump_id, manifest in self.manifests.items()
        ]

    @property
    def _builder(self) -> ExportBuilder:
        return ExportBuilder(DirectoryTarget(self.folder / "export"), bucket="customer")

    @property
    def _export(self) -> Export:
        return open_export(self._builder.url, "manifests/", lambda: None)

    @property
    def _lake(self) -> Lake:
        return open_lake(str(self.folder / "lake"), lambda: None)

    @property
    def _warehouse(self) -> Path:
        return self.folder / "warehouse.duckdb"

    @property
    def _planner(self) -> Planner:
        return Planner(self._lake, self._warehouse, None, lambda _table: False)


IDENTITY, META = "(user_identity)", "(csq_meta)"  # steps of a refresh beside the tables


def _keys(plan: DecodePlan) -> list[Key]:
    return [(work.dump_id, table) for work in plan.decode for table in work.tables]


def _is_wrong(finding: Finding) -> bool:
    """Failed dumps, columns and types are as delivered; the rest would be a fault of ours."""
    ours = {check.name for check in checks_on("rows")} - {"type_widened"}
    return not finding.passed and finding.check in ours


def _files(table: Delivered) -> Iterable[AvroFile]:
    rows = table.rows or ()
    names = dict.fromkeys((*table.columns, *(name for row in rows for name in row)))
    schema = {name: ["null", "long" if name in IDS else "string"] for name in names}
    for start in range(0, max(len(rows), 1), _ROWS_PER_FILE):
        yield AvroFile(rows[start : start + _ROWS_PER_FILE], schema)


def _check_nothing_lost(connection: DuckDBPyConnection) -> None:
    """The typed views have as many rows, and as many values in each column, as the tables."""
    for table, shown in relations(connection).items():
        counts, typed = (
            connection.execute(
                f"SELECT count(*), count(COLUMNS(*)) FROM {schema}.{quote(table)}"  # noqa: S608
            ).fetchall()[0]
            for schema in ("csq", "csq_typed")
        )
        assert typed[: 1 + len(shown.columns)] == counts, table
