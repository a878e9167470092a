"""Spark for tests: a session that lasts, and passes that refresh through it."""

import json
import os
import shlex
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from csq_assets.errors import StorageError
from csq_assets.pipeline.applied_documents import AppliedDocuments
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.pipeline.planner import Planner
from csq_assets.pipeline.spark_refresh import SparkRefresh
from csq_assets.spark.messages import Answer, Place, Request, Work, answer_of, dumped
from csq_assets.spark.names import table_name
from csq_assets_tests import model
from csq_assets_tests.pipeline.harness import IDENTITY, META, Harness

REPOSITORY = Path(__file__).parent.parent.parent


class Session:
    """The process that keeps a session of Spark."""

    def __init__(
        self, python: Path, submit: Sequence[str], environment: Mapping[str, str], log: Path
    ) -> None:
        self._log = log.open("ab")
        # Not by spark-submit itself, which gives its own standard input to nobody.
        options = {"PYSPARK_SUBMIT_ARGS": shlex.join([*submit, "pyspark-shell"])}
        self.process = subprocess.Popen(
            [str(python), str(Path(__file__).with_name("session.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), **options, **environment},
            text=True,
        )

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(60)
        if self.process.stdout:
            self.process.stdout.close()
        self._log.close()

    def ask(self, **question: Any) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                told = json.loads(line)
                if "csq_error" in told:
                    raise StorageError(
                        told["csq_error"]["message"], where=told["csq_error"]["where"]
                    )
                assert "error" not in told, told["error"]
                return told
        raise AssertionError("the session of Spark ended")

    def execute(self, place: Place, work: Work) -> Answer:
        told = self.ask(request=dumped(Request(place, work)))
        return answer_of(work, [told["answer"]])

    def query(self, place: Place, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        nothing = Request(place, Work.__args__[1]("x", ()))
        told = self.ask(sql=sql, request=dumped(nothing))
        return told["columns"], [tuple(row) for row in told["rows"]]


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
