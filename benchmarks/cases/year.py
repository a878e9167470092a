"""A year of daily dumps into current tables: does a day cost more as the year goes on?"""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import duckdb

from benchmarks.daily import MIGRATIONS, PAGE_VIEWS, USERS, Year
from benchmarks.measure import Contestant, FailedError, Measured, run_once, summed_up
from benchmarks.readers import REPOSITORY
from benchmarks.results import Goal, Result, Sizes

_MONTHS = 12
_LEAST_DAYS = 4
_WHY_MORE = (
    "looking for keys and users reads their columns of the whole history; the column that says whom "
    "users became is rewritten each day, for its rows lie in all of it; and all migrations so far are "
    "read: see what it takes more"
)
_WHY_SIZE = "up to a sixth of a file may be free before it is copied"


@dataclass(frozen=True, slots=True)
class YearOfDumps:
    """Day by day into one file, beside all of it at once into another."""

    name: str = "year"
    title: str = "Current tables over a year of dumps"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError, also where the year gave other rows than all of it at once."""
        year = Year(folder / "dumps", max(_LEAST_DAYS, sizes.dumps)).make()
        grown, fresh = folder / "grown.duckdb", folder / "fresh.duckdb"
        into_grown = partial(_run, year, grown)
        spans = _months(year.days)
        early, late = spans[:-2], spans[-2:]
        months = [into_grown(_named(early[0]), "days", early[0])]
        parts = [_parts_of_a_day(grown, early[0])]
        months += [into_grown(_named(span), "days", span) for span in early[1:]]
        again = into_grown(f"day {year.old_day} delivered again", "again", early[-1])
        months += [into_grown(_named(span), "later", span) for span in late]
        parts.append(_parts_of_a_day(grown, late[-1]))
        name = f"all {year.days} days at once, into a new file"
        rebuilt = _run(year, fresh, name, "rebuild", (1, year.days))
        if months[-1].rows != rebuilt.rows:
            raise FailedError(f"the year gave {months[-1].rows} rows, at once {rebuilt.rows}")
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                f"{year.days} days, each with {PAGE_VIEWS:,} page views, {USERS:,} users, half of "
                f"them new and the others the same each day, and all migrations so far, {MIGRATIONS} "
                f"more each day. On day {year.resync_day} the users come as a full resync; page "
                f"views of day {year.old_day} come once again, after day {early[-1][1]}, which is a "
                "replay. DuckDB alone, opened, closed and compacted where that is due each day, with "
                "1 GB as its limit. Rows are those of both tables at the end."
            ),
            goals=(
                _more("by the clock", [month.wall.median for month in months], spans),
                _more("CPU", [month.cpu.median for month in months], spans, "≤ 1.5"),
                *_growth(*parts),
                Goal("memory: a day", max(month.over_imports_mb or 0 for month in months), "MB"),
                Goal("memory: an old day delivered again", again.over_imports_mb or 0, "MB"),
                *_sizes(grown, fresh),
            ),
            runs=(*months[:-2], again, *months[-2:], rebuilt),
        )


def _months(days: int) -> list[tuple[int, int]]:
    """The first and the last day of each."""
    months = min(_MONTHS, days)
    ends = [days * month // months for month in range(months + 1)]
    return [(end + 1, next_end) for end, next_end in pairwise(ends)]


def _named(span: tuple[int, int]) -> str:
    return f"days {span[0]} to {span[1]}"


def _run(year: Year, warehouse: Path, name: str, work: str, span: tuple[int, int]) -> Measured:
    contestant = Contestant(
        name,
        (
            *(sys.executable, "-m", "benchmarks.contestants.year"),
            *(warehouse, year.folder, str(year.days), work, *map(str, span)),
        ),
        environment={"PYTHONPATH": str(REPOSITORY)},
    )
    return summed_up(name, [run_once(contestant)])


def _parts_of_a_day(warehouse: Path, span: tuple[int, int]) -> dict[str, float]:
    """Where the CPU time of the days that were measured last went."""
    written: dict[str, float] = json.loads(warehouse.with_suffix(".parts.json").read_bytes())
    return {part: seconds / (span[1] - span[0] + 1) for part, seconds in written.items()}


def _growth(first: dict[str, float], last: dict[str, float]) -> Iterator[Goal]:
    """What a day in the last month takes more, by its parts, the largest first."""
    more = {part: seconds - first.get(part, 0) for part, seconds in last.items()}
    for part, seconds in sorted(more.items(), key=lambda one: -one[1]):
        share = 100 * seconds / sum(more.values())
        yield Goal(
            f"of what it takes more, CPU: {part}", 1000 * seconds, "ms", why=f"{share:.0f} %"
        )


def _more(
    how: str,
    seconds: Sequence[float],
    spans: Sequence[tuple[int, int]],
    goal: str | None = None,
) -> Goal:
    first, last = (seconds[at] / (spans[at][1] - spans[at][0] + 1) for at in (0, -1))
    work = f"a day in the last month, beside the first, {how}"
    return Goal(work, last / first, "×", goal, _WHY_MORE)


def _sizes(grown: Path, fresh: Path) -> tuple[Goal, ...]:
    grown_mb, fresh_mb = (file.stat().st_size / 1024**2 for file in (grown, fresh))
    return (
        Goal("size of the DuckDB file after the year", grown_mb, "MB"),
        Goal("the same beside a new file", grown_mb / fresh_mb, "×", "≤ 1.2", _WHY_SIZE),
        Goal("what is free in it", _free_mb(grown), "MB"),
    )


def _free_mb(file: Path) -> float:
    with duckdb.connect(str(file), read_only=True) as connection:
        sizes = "SELECT free_blocks * block_size FROM pragma_database_size()"
        return connection.execute(sizes).fetchall()[0][0] / 1024**2


CASE = YearOfDumps()
