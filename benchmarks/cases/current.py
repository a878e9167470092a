"""An increment into current tables of some history, beside a full rebuild."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.events import INCREMENT, History
from benchmarks.measure import Contestant, FailedError, Measured, alternate
from benchmarks.readers import REPOSITORY
from benchmarks.results import Goal, Result, Sizes


@dataclass(frozen=True, slots=True)
class Current:
    """Page views, at each size of history."""

    name: str = "current"
    title: str = "Current tables: what an increment costs"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError, also where the increment gave other rows than a full rebuild."""
        increment = min(INCREMENT, min(sizes.histories) // 2)  # small, to try it out
        histories = [History(folder / str(rows), rows, increment) for rows in sizes.histories]
        runs: dict[str, Measured] = {}
        for history in histories:
            runs |= _measured(history.make(), sizes.rounds)
            shutil.rmtree(history.folder)
        one = histories[0]
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                f"{increment:,} page views of 22 columns, {increment - one.replaced:,} of them with "
                f"new keys, and {one.moved_users:,} users that become others, come to a DuckDB file "
                "that holds so many, up to the closed file; with 2 GB as DuckDB's limit. A full "
                "rebuild, with 8 GB, reads all of them and keeps the newest of each key, without "
                "resolving users."
            ),
            goals=tuple(_goals(runs, sizes.histories)),
            runs=tuple(runs.values()),
        )


def _measured(history: History, rounds: int) -> Mapping[str, Measured]:
    contestant = partial(_contestant, history)
    loaded = alternate([contestant("load")], rounds=1)
    warehouse = history.folder / "warehouse.duckdb"
    kept = history.folder / "kept.duckdb"
    warehouse.rename(kept)

    def put_back() -> None:
        shutil.copy(kept, warehouse)
        os.sync()  # or the disk would still be at it while the increment is measured

    increments = alternate([contestant("increment", prepare=put_back)], rounds=rounds)
    asked = alternate([contestant("table"), contestant("events")], rounds=rounds)
    rebuilt = alternate([contestant("rebuild")], rounds=1)
    runs = {**loaded, **increments, **asked, **rebuilt}
    if len({run.rows for run in (*increments.values(), *asked.values(), *rebuilt.values())}) != 1:
        raise FailedError(f"not the same rows: { {name: run.rows for name, run in runs.items()} }")
    return runs


def _contestant(
    history: History, work: str, *, prepare: Callable[[], None] | None = None
) -> Contestant:
    return Contestant(
        _named(work, history.rows),
        (
            *(sys.executable, "-m", "benchmarks.contestants.current"),
            *(history.folder, str(history.rows), work),
        ),
        environment={"PYTHONPATH": str(REPOSITORY)},
        prepare=prepare,
    )


def _named(work: str, rows: int) -> str:
    said = {
        "load": "all of it",
        "increment": "the increment",
        "rebuild": "a full rebuild",
        "table": "a question to csq.pageviews",
        "events": "the same to csq.all_events",
    }
    return f"{rows:,} rows: {said[work]}"


def _goals(runs: Mapping[str, Measured], histories: Sequence[int]) -> Iterator[Goal]:
    smallest, largest = min(histories), max(histories)
    increment, rebuilt, small = (
        runs[_named(work, rows)]
        for work, rows in (("increment", largest), ("rebuild", largest), ("increment", smallest))
    )
    faster = f"an increment into {largest:,} rows, times faster than a full rebuild"
    yield Goal(faster, rebuilt.wall.median / increment.wall.median, "×", "≥ 10")
    yield Goal(f"{faster}, CPU", rebuilt.cpu.median / increment.cpu.median, "×")
    more = f"an increment into {largest:,} rows, beside {smallest:,}"
    yield Goal(more, increment.wall.median / small.wall.median, "×")
    yield Goal(f"{more}, CPU", increment.cpu.median / small.cpu.median, "×", "≤ 1.5", _WHY)
    yield Goal(f"an increment into {largest:,} rows, memory", increment.over_imports_mb or 0, "MB")
    of_table, of_events = (runs[_named(work, largest)].wall.median for work in ("table", "events"))
    yield Goal("a question to csq.all_events, a view, beside its table", of_events / of_table, "×")


_WHY = (
    "looking for keys and users that are there already reads those columns of the whole history, and "
    "where users become others, the column that says whom they became is rewritten"
)

CASE = Current()
