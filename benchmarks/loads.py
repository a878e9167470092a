"""Contestants that load one large dump into DuckDB, and the parts that a sync consists of."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.contents import (
    duckdb_contents,
    jsonl_contents,
    parquet_contents,
    require_same,
    write_made_rows,
)
from benchmarks.generate import deliver
from benchmarks.home import OPEN_DAGSTER, Home
from benchmarks.made_up import column_names
from benchmarks.measure import Contestant
from benchmarks.peers.environments import interpreter_for
from benchmarks.readers import OURS, REPOSITORY

_DUMP_ID, _FILES, _TABLE = 1, 10, "pageviews"
ARROW = "dlt with Arrow, into DuckDB"
DICTIONARIES = "dlt with dictionaries, into DuckDB, once"
TAP_HEAP = "tap-heap with target-jsonl, once"
_DAGSTER, _DECODING = "import dagster, open its instance", "decoding alone"
_ALONE = "DuckDB alone, from that Parquet"
PARTS = (_DAGSTER, _DECODING, _ALONE)


@dataclass(frozen=True, slots=True)
class Load:
    """One dump, and who takes it. Everything lies in `folder`."""

    folder: Path
    rows: int

    @property
    def export(self) -> Path:
        return self.folder / "export"

    @property
    def home(self) -> Home:
        return Home(self.folder / "home")

    @property
    def _partition(self) -> Path:
        """The folder of the Parquet file that csq_assets writes of the page views."""
        return self.home.folder / "data" / "lake" / "raw" / _TABLE / f"dump_id={_DUMP_ID}"

    def deliver(self) -> "Load":
        tables = {
            _TABLE: self.rows,
            "users": self.rows // 20 + 1,
            "user_migrations": self.rows // 100 + 1,
        }
        deliver(self.export, _DUMP_ID, tables, files={_TABLE: _FILES})
        return self

    def ours(self, name: str = OURS, **settings: str) -> Contestant:
        return replace(
            self.home.csq(name, "sync"),
            environment={
                "DAGSTER_HOME": str(self.home.folder),
                "CSQ_EXPORT_URL": str(self.export),
                **settings,
            },
            prepare=self.home.remake,
        )

    def parts(self) -> Iterator[Contestant]:
        """What a sync must do at least. The rows are those that csq_assets has just decoded."""
        empty = Home(self.folder / "empty")
        yield replace(
            empty.contestant(_DAGSTER, sys.executable, "-c", OPEN_DAGSTER),
            prepare=empty.remake,
        )
        lake, out = self.folder / "lake", self.folder / "alone.duckdb"
        module = (sys.executable, "-m", "benchmarks.contestants.ours")
        yield Contestant(
            _DECODING,
            (*module, self.export, lake, str(_DUMP_ID), _TABLE),
            environment={"PYTHONPATH": str(REPOSITORY)},
            prepare=lambda: shutil.rmtree(lake, ignore_errors=True),
        )
        yield Contestant(
            _ALONE,
            (sys.executable, "-m", "benchmarks.contestants.load", self._partition, out),
            environment={"PYTHONPATH": str(REPOSITORY)},
            prepare=lambda: out.unlink(missing_ok=True),
        )

    def dlt(self, name: str, way: str, *, install: bool) -> Contestant:
        """Raises LeftOutError."""
        home = self.folder / way

        def prepare() -> None:
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir()

        return Contestant(
            name,
            (
                *(interpreter_for("dlt", install=install), "-m", "benchmarks.peers.dlt_pipeline"),
                *(self.export / f"sync_{_DUMP_ID}", home / "loaded.duckdb", way),
            ),
            environment={
                "PYTHONPATH": str(REPOSITORY),
                "RUNTIME__DLTHUB_TELEMETRY": "false",
                "HOME": str(home),
            },
            folder=home,
            prepare=prepare,
        )

    def require_same(self, ran: set[str]) -> None:
        """Raises FailedError where somebody loaded other page views than were made up."""
        made = write_made_rows(self.folder / "made", _TABLE, self.rows, seed=_DUMP_ID)
        as_delivered = {name: name for name in column_names(_TABLE)}
        database = self.home.folder / "data" / "warehouse.duckdb"
        # Ours are resolved: who delivered a row is in a column of its own.
        resolved = {**as_delivered, "user_id": "_raw_user_id"}
        found = {OURS: duckdb_contents(database, f"csq.{_TABLE}", resolved)}
        for name, way in ((ARROW, "arrow"), (DICTIONARIES, "dictionaries")):
            if name in ran:
                file = self.folder / way / "loaded.duckdb"
                found[name] = duckdb_contents(file, f"bench.{_TABLE}", as_delivered)
        if TAP_HEAP in ran:
            lines = self.folder / "tap-heap" / "lines" / f"{_TABLE}.jsonl"
            found[TAP_HEAP] = jsonl_contents(lines, _TABLE)
        require_same(parquet_contents(made, _TABLE), found)
