"""A whole pass over one large dump, beside what else loads such an export."""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.loads import ARROW, DICTIONARIES, PARTS, TAP_HEAP, Load
from benchmarks.measure import Contestant, Measured, Spread, alternate, ratio
from benchmarks.peers.environments import LeftOutError
from benchmarks.peers.singer import tap_heap
from benchmarks.readers import OURS, REPOSITORY
from benchmarks.results import Goal, Result, Sizes

# By page views: times faster than dlt with Arrow by CPU, and by the clock on two cores.
_GOALS = {1_000_000: ("≥ 1.3", "≥ 1.5"), 10_000_000: ("≥ 2", "≥ 2.5")}
_WHY = (
    "its parts alone, one after the other, would reach {best:.2f} ×; dlt has no Dagster, leaves no "
    "lake behind, finds no duplicates, resolves no users and checks nothing"
)
_WHY_PARTS = (
    "the parts import neither what reads nor what runs and records; they find no duplicates, resolve "
    "no users, infer no types and record nothing: see the CPU of csq sync"
)
_SMALL = "600MB"
_WITH_SMALL = f"{OURS}, CSQ_DUCKDB_MEMORY_LIMIT={_SMALL}"
_WHY_MEMORY = "DuckDB keeps what it has read and written, up to CSQ_DUCKDB_MEMORY_LIMIT, 2 GB"


@dataclass(frozen=True, slots=True)
class Sync:
    """`csq sync` with page views, users and migrations."""

    name: str = "sync"
    title: str = "A whole sync of one large dump"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError, also where a contestant loaded other page views. What takes minutes runs
        once."""
        ascending = sorted(sizes.sync_rows)
        runs: dict[str, Measured] = {}
        goals: list[Goal] = []
        left_out: list[str] = []
        for place, rows in enumerate(ascending):
            dump = Load(folder / str(rows), rows).deliver()
            alone = [dump.ours(), *dump.parts()]
            if place == 0:
                found = _beside_all(dump, alone, sizes, left_out)
            else:
                alone.append(dump.ours(_WITH_SMALL, CSQ_DUCKDB_MEMORY_LIMIT=_SMALL))
                if rows in _GOALS:
                    found = _beside_arrow(dump, alone, replace(sizes, rounds=1), left_out)
                else:
                    found = alternate(alone, rounds=1)
            dump.require_same(set(found))
            goals += _goals(found, rows)
            runs |= {
                (named := _named(name, rows)): replace(run, name=named)
                for name, run in found.items()
            }
            shutil.rmtree(dump.folder)
        goals += _linear(runs, ascending)
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                "Page views in ten files, with users and migrations, from a directory (tap-heap: from "
                "an S3 server on this machine) into an empty DuckDB file (target-jsonl: lines of "
                "JSON). Whole processes, from the command to its end, on two cores; decoding alone "
                "without imports. Only csq_assets resolves users, removes duplicates and checks what "
                "came."
            ),
            goals=tuple(goals),
            runs=tuple(runs.values()),
            left_out=tuple(left_out),
        )


def _named(name: str, rows: int) -> str:
    return f"{rows:,} page views: {name}"


def _beside_arrow(
    dump: Load, contestants: Sequence[Contestant], sizes: Sizes, left_out: list[str]
) -> dict[str, Measured]:
    try:
        contestants = [*contestants, dump.dlt(ARROW, "arrow", install=sizes.peers)]
    except LeftOutError as error:
        left_out.append(str(error))
    return alternate(contestants, rounds=sizes.rounds)


def _beside_all(
    dump: Load, contestants: Sequence[Contestant], sizes: Sizes, left_out: list[str]
) -> dict[str, Measured]:
    runs = _beside_arrow(dump, contestants, sizes, left_out)
    if ARROW in runs:
        runs |= alternate([dump.dlt(DICTIONARIES, "dictionaries", install=sizes.peers)], rounds=1)
    script = (sys.executable, "-m", "benchmarks.peers.tap_heap")
    try:
        with tap_heap(dump.export, dump.folder / "tap-heap", install=sizes.peers) as server:
            runs |= alternate([server.contestant(TAP_HEAP, script, REPOSITORY)], rounds=1)
    except LeftOutError as error:
        left_out.append(str(error))
    return runs


def _goals(runs: Mapping[str, Measured], rows: int) -> Iterator[Goal]:
    mine, work = runs[OURS], f"a whole sync of {rows:,} page views"
    by_cpu, by_clock = _GOALS.get(rows, (None, None))
    parts = [runs[name] for name in PARTS]
    cpu, wall = (sum(spread(one).median for one in parts) for spread in (_cpu, _wall))
    if arrow := runs.get(ARROW):
        beside = f"{work} beside {ARROW}"
        for how, of, alone, goal in (
            ("CPU", _cpu, cpu, by_cpu),
            ("by the clock", _wall, wall, by_clock),
        ):
            why = _WHY.format(best=of(arrow).median / alone)
            yield Goal(f"{beside}, {how}", ratio(of(arrow), of(mine)), "×", goal, why)
    for name in (DICTIONARIES, TAP_HEAP):
        if name in runs:
            yield Goal(
                f"{work} beside {name}, by the clock", ratio(runs[name].wall, mine.wall), "×"
            )
    multiple = f"{work}, in multiples of its parts, CPU"
    yield Goal(multiple, mine.cpu.median / cpu, "×", "≤ 1.15", _WHY_PARTS)
    yield Goal(f"memory: {work}, all of it", mine.peak_mb, "MB", "≤ 1,024", _WHY_MEMORY)
    if small := runs.get(_WITH_SMALL):
        yield Goal(f"the same, CSQ_DUCKDB_MEMORY_LIMIT={_SMALL}", small.peak_mb, "MB", "≤ 1,024")
        yield Goal("CPU of that, beside the default", ratio(small.cpu, mine.cpu), "×")


def _cpu(run: Measured) -> Spread:
    return run.cpu


def _wall(run: Measured) -> Spread:
    return run.wall


def _linear(runs: Mapping[str, Measured], sizes: Sequence[int]) -> Iterator[Goal]:
    """What a page view of the largest dump takes beside one of the second largest."""
    if len(sizes) > 1:
        few, many = sizes[-2:]
        small, large = (runs[_named(OURS, rows)].cpu.median / rows for rows in (few, many))
        yield Goal(f"a page view of {many:,} beside one of {few:,}, CPU", large / small, "×")


CASE = Sync()
