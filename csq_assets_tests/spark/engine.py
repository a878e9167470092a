"""Passes whose refresh is done by Spark, beside the oracle."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from csq_assets.pipeline.applied_documents import AppliedDocuments
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.pipeline.planner import Planner
from csq_assets.pipeline.spark_refresh import SparkRefresh
from csq_assets.spark.messages import Answer, Place, Work
from csq_assets.spark.names import table_name
from csq_assets_tests import model
from csq_assets_tests.pipeline.harness import IDENTITY, META, Harness
from csq_assets_tests.spark.session import Session


@dataclass(slots=True)
class SparkHarness(Harness):
    """The same export and lake, whose tables Spark keeps."""

    session: Session | None = None
    place: Place | None = None

    def launch(self, work: Work) -> Answer:
        assert self.session
        assert self.place
        return self.session.execute(self.place, work)

    def refresh(self, steps: Sequence[str], *, rebuild: bool = False) -> None:
        effective = EffectiveDumps(self._lake, self._planner.state())
        refresh = SparkRefresh(self._lake, effective, self.launch, buckets=2)
        for step in steps:
            if step == IDENTITY:
                refresh.refresh_identity(rebuild=rebuild)
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

    def refreshed(self, table: str) -> Answer:
        """The same job once more."""
        effective = EffectiveDumps(self._lake, self._planner.state())
        answers: list[Answer] = []

        def launch(work: Work) -> Answer:
            answers.append(self.launch(work))
            return answers[-1]

        SparkRefresh(self._lake, effective, launch, buckets=2).refresh_table(table)
        return answers[-1]

    def check(self) -> None:
        assert self.session
        assert self.place
        wanted = model.current_tables(self.oracle)
        for table, relation in wanted.items():
            columns = ", ".join("`" + name.replace("`", "``") + "`" for name in relation.columns)
            found, rows = self.session.query(
                self.place, f"SELECT {columns} FROM csq.csq.{table_name(table)}"
            )
            assert tuple(found) == relation.columns
            assert Counter(rows) == relation.rows, table
        identity = self.session.query(
            self.place, "SELECT from_user_id, user_id FROM csq.csq_meta.user_identity"
        )[1]
        counting = model.counting_dumps(self.oracle)
        assert Counter(identity) == Counter(model.user_identity(counting).items())
        events = self.session.query(
            self.place,
            "SELECT user_id, event_id, session_id, time, event_table_name, _dump_id "
            "FROM csq.csq.all_events",
        )[1]
        assert Counter(events) == model.all_events(self.oracle)
        tables = AppliedDocuments(self._lake).tables()
        assert sorted(tables) == sorted(wanted)

    @property
    def _planner(self) -> Planner:
        return Planner(
            self._lake, self.folder / "no.duckdb", None, lambda _table: False, engine="spark"
        )
