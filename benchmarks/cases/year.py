"""A year of daily dumps into current tables: does a day cost more as the year goes on?"""

import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.measure import Contestant, FailedError, Measured, run_once, summed_up
from benchmarks.readers import REPOSITORY
from benchmarks.results import Goal, Result, Sizes

_QUARTERS = 4
_WHY_MORE = (
    "looking for keys reads the key columns of the whole history; in the last quarter, too, a day "
    "delivered again has the table replayed"
)
_WHY_SIZE = (
    "DuckDB uses again what updates leave behind; where the file is deleted, the next sync builds "
    "it anew from the lake"
)


@dataclass(frozen=True, slots=True)
class Year:
    """Day by day into one file, beside all of it at once into another."""

    name: str = "year"
    title: str = "Current tables over a year of dumps"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError, also where the year gave other rows than all of it at once."""
        days = max(_QUARTERS, sizes.dumps)
        ends = [days * quarter // _QUARTERS for quarter in range(_QUARTERS + 1)]
        grown, fresh = folder / "grown.duckdb", folder / "fresh.duckdb"
        quarters = [
            _run(f"days {start + 1} to {end}", grown, start + 1, end)
            for start, end in pairwise(ends)
        ]
        anew = _run(f"all {days} days at once, into a new file", fresh, 1, days, "anew")
        if quarters[-1].rows != anew.rows:
            raise FailedError(f"the year gave {quarters[-1].rows} rows, at once {anew.rows}")
        first, last = (
            run.cpu.median / (end - start)
            for run, start, end in ((quarters[0], *ends[:2]), (quarters[-1], *ends[-2:]))
        )
        sizes_mb = [file.stat().st_size / 1024**2 for file in (grown, fresh)]
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                f"{days} days, each with 20,000 page views, 1,000 users and the migrations of 200 "
                "more; the users come once as a full resync, and an old day of page views once "
                "again, which is a replay. DuckDB alone, opened and closed each day. Rows are those "
                "of both tables at the end."
            ),
            goals=(
                Goal(
                    "a day in the last quarter, beside the first, CPU",
                    last / first,
                    "×",
                    None,
                    _WHY_MORE,
                ),
                Goal("size of the DuckDB file after the year", sizes_mb[0], "MB"),
                Goal("the same beside a new file", sizes_mb[0] / sizes_mb[1], "×", None, _WHY_SIZE),
            ),
            runs=(*quarters, anew),
        )


def _run(name: str, warehouse: Path, first: int, last: int, *anew: str) -> Measured:
    contestant = Contestant(
        name,
        (
            *(sys.executable, "-m", "benchmarks.contestants.year"),
            *(warehouse, str(first), str(last), *anew),
        ),
        environment={"PYTHONPATH": str(REPOSITORY)},
    )
    return summed_up(name, [run_once(contestant)])


CASE = Year()
