"""What `csq` costs before it does anything, and with little to do."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generate import deliver
from benchmarks.home import END, OPEN_DAGSTER, Home
from benchmarks.measure import Measured, alternate, run_once, summed_up
from benchmarks.results import Goal, Result, Sizes

_TABLES, _ROWS = 10, 200
_CLICK, _DAGSTER, _INSTANCE = "import click", "import dagster", "import dagster, open its instance"
_HELP, _STATUS, _IDLE = "csq --help", "csq status", "csq sync, nothing to do"
_TEN = f"csq sync, {_TABLES} small tables"


@dataclass(frozen=True, slots=True)
class Start:
    """Commands that have little to do, beside what they must import."""

    name: str = "start"
    title: str = "Starting"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError, also where a table was not applied."""
        home = Home(folder / "home").make()
        tables = {f"event_{number}": _ROWS for number in range(_TABLES)}
        deliver(home.export, 1, tables)
        ten = home.csq(_TEN, "sync")
        run_once(ten)
        others = (
            home.contestant(_CLICK, sys.executable, "-c", f"import click; {END}"),
            home.contestant(_DAGSTER, sys.executable, "-c", f"import dagster; {END}"),
            home.contestant(_INSTANCE, sys.executable, "-c", OPEN_DAGSTER),
            home.csq(_HELP, "--help"),
            home.csq(_STATUS, "status"),
            home.csq(_IDLE, "sync"),
        )
        for other in others:  # each has its bytecode from here on
            run_once(other)
        runs = alternate(others, rounds=sizes.rounds)
        taken = []
        for dump_id in range(2, sizes.rounds + 2):
            deliver(home.export, dump_id, tables)
            taken.append(run_once(ten))
        runs[_TEN] = summed_up(_TEN, taken)
        home.require_applied((sizes.rounds + 1) * _TABLES)
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                "Whole processes, by CPU seconds, in a folder where one dump was taken. Then a dump "
                f"of {_TABLES} tables of {_ROWS} rows: decoded, checked, and current in DuckDB."
            ),
            goals=tuple(_goals(runs)),
            runs=tuple(runs.values()),
        )


def _goals(runs: Mapping[str, Measured]) -> Iterator[Goal]:
    for name, beside, goal in (
        (_HELP, _CLICK, "≤ 3"),
        (_STATUS, _DAGSTER, "≤ 1.5"),
        (_IDLE, _INSTANCE, "≤ 2"),
    ):
        times = runs[name].cpu.median / runs[beside].cpu.median
        yield Goal(f"{name}, in multiples of {beside}", times, "×", goal)
    seconds = (runs[_TEN].cpu.median - runs[_IDLE].cpu.median) / _TABLES
    yield Goal(
        f"{_TEN}: each, less what a sync costs that has nothing to do", seconds, "s", "≤ 0.25"
    )


CASE = Start()
