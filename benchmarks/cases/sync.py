"""A whole pass over one large dump, beside what else loads such an export."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contents import (
    duckdb_contents,
    jsonl_contents,
    parquet_contents,
    require_same,
    write_made_rows,
)
from benchmarks.generate import deliver
from benchmarks.made_up import column_names
from benchmarks.measure import Contestant, Measured, alternate, ratio
from benchmarks.peers.environments import LeftOutError, interpreter_for
from benchmarks.peers.singer import tap_heap
from benchmarks.readers import OURS, REPOSITORY
from benchmarks.results import Goal, Result, Sizes

_DUMP_ID, _FILES = 1, 10
_TABLE = "pageviews"
_ARROW = "dlt with Arrow, into DuckDB"
_DICTIONARIES = "dlt with dictionaries, into DuckDB, once"
_ALONE = "DuckDB alone, from Parquet that is there"
_TAP_HEAP = "tap-heap with target-jsonl, once"
_WHY = (
    "starting Dagster, and DuckDB writing the rows, come to more than a third of what dlt takes; "
    "dlt neither resolves users nor looks for duplicates"
)


@dataclass(frozen=True, slots=True)
class Sync:
    """`csq sync` with page views, users and migrations."""

    name: str = "sync"
    title: str = "A whole sync of one large dump"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError, also where a contestant loaded other page views."""
        export = folder / "export"
        tables = {
            _TABLE: sizes.rows,
            "users": sizes.rows // 20 + 1,
            "user_migrations": sizes.rows // 100 + 1,
        }
        deliver(export, _DUMP_ID, tables, files={_TABLE: _FILES})
        made = write_made_rows(folder / "made", _TABLE, sizes.rows, seed=_DUMP_ID)
        many, once, left_out = (
            [_ours(export, folder), _duckdb_alone(made, folder)],
            list[Contestant](),
            list[str](),
        )
        with ExitStack() as servers:
            try:
                many.append(_dlt(export, folder, _ARROW, "arrow", install=sizes.peers))
                once.append(
                    _dlt(export, folder, _DICTIONARIES, "dictionaries", install=sizes.peers)
                )
            except LeftOutError as error:
                left_out.append(str(error))
            try:
                tap = tap_heap(export, folder / "tap-heap", install=sizes.peers)
                script = (sys.executable, "-m", "benchmarks.peers.tap_heap")
                once.append(servers.enter_context(tap).contestant(_TAP_HEAP, script, REPOSITORY))
            except LeftOutError as error:
                left_out.append(str(error))
            runs = alternate(many, rounds=sizes.rounds) | alternate(once, rounds=1)
        _require_same(folder, made, set(runs))
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                f"{sizes.rows:,} page views in ten files, with users and migrations, from a "
                "directory (tap-heap: from an S3 server on this machine) into an empty DuckDB file "
                "(target-jsonl: lines of JSON). Whole processes, from the command to its end. "
                "Only csq_assets resolves users, removes duplicates and checks what came."
            ),
            goals=tuple(_goals(runs)),
            runs=tuple(runs.values()),
            left_out=tuple(left_out),
        )


def _goals(runs: Mapping[str, Measured]) -> Iterator[Goal]:
    mine, alone = runs[OURS], runs[_ALONE]
    for name in (_ARROW, _DICTIONARIES, _TAP_HEAP):
        if name in runs:
            work, faster = f"a whole sync beside {name}", ratio(runs[name].wall, mine.wall)
            yield Goal(work, faster, "×", *(("≥ 3", _WHY) if name == _ARROW else ()))
    if _ARROW in runs:
        cpu = ratio(runs[_ARROW].cpu, mine.cpu)
        yield Goal(f"a whole sync beside {_ARROW}, CPU", cpu, "×")
    yield Goal(f"a whole sync, in multiples of {_ALONE}", ratio(mine.wall, alone.wall), "×")


def _duckdb_alone(made: Path, folder: Path) -> Contestant:
    out = folder / "alone.duckdb"
    return Contestant(
        _ALONE,
        (sys.executable, "-m", "benchmarks.contestants.load", made, out),
        environment={"PYTHONPATH": str(REPOSITORY)},
        prepare=lambda: out.unlink(missing_ok=True),
    )


def _ours(export: Path, folder: Path) -> Contestant:
    home = folder / "home"

    def prepare() -> None:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        shutil.copy(REPOSITORY / "dagster.yaml", home)

    return Contestant(
        OURS,
        (Path(sys.executable).with_name("csq"), "sync"),
        environment={"DAGSTER_HOME": str(home), "CSQ_EXPORT_URL": str(export)},
        folder=home,
        prepare=prepare,
    )


def _dlt(export: Path, folder: Path, name: str, way: str, *, install: bool) -> Contestant:
    home = folder / way

    def prepare() -> None:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()

    return Contestant(
        name,
        (
            *(interpreter_for("dlt", install=install), "-m", "benchmarks.peers.dlt_pipeline"),
            *(export / f"sync_{_DUMP_ID}", home / "loaded.duckdb", way),
        ),
        environment={
            "PYTHONPATH": str(REPOSITORY),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "HOME": str(home),
        },
        folder=home,
        prepare=prepare,
    )


def _require_same(folder: Path, made: Path, ran: set[str]) -> None:
    as_delivered = {name: name for name in column_names(_TABLE)}
    database = folder / "home" / "data" / "warehouse.duckdb"
    # Ours are resolved: who delivered a row is in a column of its own.
    resolved = {**as_delivered, "user_id": "_raw_user_id"}
    found = {OURS: duckdb_contents(database, f"csq.{_TABLE}", resolved)}
    for name, way in ((_ARROW, "arrow"), (_DICTIONARIES, "dictionaries")):
        if name in ran:
            file = folder / way / "loaded.duckdb"
            found[name] = duckdb_contents(file, f"bench.{_TABLE}", as_delivered)
    if _TAP_HEAP in ran:
        lines = folder / "tap-heap" / "lines" / f"{_TABLE}.jsonl"
        found[_TAP_HEAP] = jsonl_contents(lines, _TABLE)
    require_same(parquet_contents(made, _TABLE), found)


CASE = Sync()
