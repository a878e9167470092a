"""Passes whose refresh is done by Spark on a cluster, beside DuckDB and the oracle."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from csq_assets.dataconnect.tables import catalog_name
from csq_assets.lake.locations import Lake, open_lake
from csq_assets.pipeline.applied_documents import AppliedDocuments
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.pipeline.planner import Planner
from csq_assets.pipeline.spark_refresh import SparkRefresh
from csq_assets.spark.layout import DUMP_ROW
from csq_assets.spark.messages import Answer, Place, Work
from csq_assets_tests import model
from csq_assets_tests.model import Relation
from csq_assets_tests.pipeline.harness import IDENTITY, META, Harness
from csq_assets_tests.spark.session import Session
from csq_assets_tests.warehouse.deliveries import relation, relations

_BUCKETS = 2


@dataclass(slots=True)
class SparkHarness(Harness):
    """The same export, with its lake on S3, from which DuckDB refreshes what Spark does."""

    session: Session = field(kw_only=True)
    place: Place = field(kw_only=True)
    lake_url: str = field(kw_only=True)
    s3_client: Any = field(kw_only=True)
    has_map: bool = False

    def launch(self, work: Work) -> Answer:
        return self.session.execute(self.place, work)

    def refresh(self, steps: Sequence[str], *, rebuild: bool = False) -> None:
        Harness.refresh(self, steps, rebuild=rebuild)
        refresh = self._refresh(self.launch)
        for step in steps:
            if step == IDENTITY:
                refresh.refresh_identity(rebuild=rebuild)
                self.has_map = True
            elif step == META:
                refresh.refresh_meta()
            else:
                findings = refresh.refresh_table(step, rebuild=rebuild).findings
                wrong = [one for one in findings if not one.passed]
                assert [
                    one.description
                    for one in wrong
                    if one.check in ("unique_key", "rows_reconcile")
                ] == []
        refresh.count_events()

    def rebuild(self) -> None:
        self.refresh([IDENTITY, *self._planner.state().plans()], rebuild=True)
        self.check()

    def refreshed(self, table: str) -> Answer:
        """The answer of the same job once more."""
        answers: list[Answer] = []

        def launch(work: Work) -> Answer:
            answers.append(self.launch(work))
            return answers[-1]

        self._refresh(launch).refresh_table(table)
        return answers[-1]

    def check(self) -> None:
        """Spark and DuckDB have what a replay from nothing gives, row for row."""
        wanted = model.current_tables(self.oracle)
        if not self._warehouse.exists():
            assert wanted == {}  # nothing was ever to be refreshed
            return
        with duckdb.connect(str(self._warehouse), read_only=True) as connection:
            in_duckdb = relations(connection)
            events = relation(connection, "all_events")
            identity = relation(connection, "user_identity", "csq_meta")
        assert in_duckdb == wanted
        assert {table: self._shown(table) for table in wanted} == wanted
        assert self.read("csq.all_events") == events
        assert events.rows == model.all_events(self.oracle)
        assert (self.read("csq_meta.user_identity").rows if self.has_map else {}) == identity.rows
        assert sorted(AppliedDocuments(self._lake).tables()) == sorted(wanted)

    def read(self, name: str) -> Relation:
        """All of an Iceberg table."""
        columns, rows = self.session.query(self.place, f"SELECT * FROM {self.place.catalog}.{name}")
        return Relation(tuple(columns), Counter(rows))

    def _shown(self, table: str) -> Relation:
        """What DuckDB shows of a current table."""
        found = self.read(f"csq.`{catalog_name(table)}`")
        internal = {DUMP_ROW, "_raw_user_id"} if table == "users" else {DUMP_ROW}
        places = [at for at, name in enumerate(found.columns) if name not in internal]
        rows: Counter[tuple[Any, ...]] = Counter()
        for row, times in found.rows.items():
            rows[tuple(row[at] for at in places)] += times
        return Relation(tuple(found.columns[at] for at in places), rows)

    def _refresh(self, launch: Callable[[Work], Answer]) -> SparkRefresh:
        effective = EffectiveDumps(self._lake, self._planner.state())
        return SparkRefresh(self._lake, effective, launch, buckets=_BUCKETS)

    @property
    def _lake(self) -> Lake:
        return open_lake(self.lake_url, lambda: self.s3_client)

    @property
    def _planner(self) -> Planner:
        return Planner(
            self._lake, self.folder / "no.duckdb", None, lambda _table: False, engine="spark"
        )
