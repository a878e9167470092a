"""A long history of small tables, taken at once."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.generate import deliver
from benchmarks.home import Home
from benchmarks.measure import Contestant, Measured, run_once, summed_up
from benchmarks.readers import REPOSITORY
from benchmarks.results import Goal, Result, Sizes

_ROWS, _WIDE = 200, 300
_A_DUMP, _A_TABLE = 3, 0.05  # seconds of the daemon, which starts a process for each dump
_TABLES = (
    *("users", "sessions", "pageviews", "user_migrations"),
    *(f"event_{number}" for number in range(8)),
)

_WHY_WIDE = (
    "each is two steps of Dagster, with their checks, and some 50 statements of DuckDB, of which the "
    "definition of the view of its types is the longest"
)


@dataclass(frozen=True, slots=True)
class ManyDumps:
    """`csq sync`, and the daemon with the sensor, on an export of which nothing is decoded yet."""

    name: str = "many_dumps"
    title: str = "Many dumps, and many tables"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError, also where a table of a dump was not applied."""
        few, small = max(1, sizes.dumps // 4), len(_TABLES)
        quarter = _sync(Home(folder / "few"), few, _TABLES)
        all_of_them = _sync(Home(folder / "all"), sizes.dumps, _TABLES)
        daemon = _daemon(Home(folder / "daemon"), sizes.dumps)
        wide = _sync(Home(folder / "wide"), 1, tuple(f"event_{n}" for n in range(_WIDE)))
        every = sizes.dumps * small
        by_wall, by_cpu = all_of_them.wall.median / every, all_of_them.cpu.median / every
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                f"Dumps of {small} tables of {_ROWS} rows each, all of them delivered before the "
                "first sync: decoded, checked, and current in DuckDB, each recorded in Dagster. "
                "Whole processes, once. The daemon counts from its start to the end of the last run, "
                "with what it waits from one evaluation of the sensor to the next; it finds the names "
                "of the tables in the lake. Its memory includes that of the process that watches it."
            ),
            goals=(
                Goal(f"{sizes.dumps} dumps: a table of a dump", by_wall, "s", "≤ 0.15"),
                Goal(f"{sizes.dumps} dumps: a table of a dump, CPU", by_cpu, "s"),
                Goal(
                    "the same beside a quarter of the dumps, CPU",
                    by_cpu / (quarter.cpu.median / (few * small)),
                    "×",
                    "≤ 1.3",
                ),
                Goal(
                    f"{sizes.dumps} dumps by the daemon: a dump of {small} tables",
                    daemon.wall.median / sizes.dumps,
                    "s",
                    f"≤ {_A_DUMP + small * _A_TABLE:.1f}",
                ),
                Goal(
                    f"{sizes.dumps} dumps by the daemon: a table of a dump, CPU",
                    daemon.cpu.median / every,
                    "s",
                ),
                Goal(f"{sizes.dumps} dumps by the daemon", daemon.rows or 0, "runs"),
                Goal(
                    f"{_WIDE} event tables in one dump: a table",
                    wide.wall.median / _WIDE,
                    "s",
                    "≤ 0.1",
                    _WHY_WIDE,
                ),
            ),
            runs=(quarter, all_of_them, replace(daemon, rows=None), wide),
        )


def _sync(home: Home, dumps: int, tables: tuple[str, ...]) -> Measured:
    name = f"csq sync, {dumps} dump{'s' if dumps > 1 else ''} of {len(tables)} tables"
    return _taken(home, dumps, tables, home.csq(name, "sync"))


def _daemon(home: Home, dumps: int) -> Measured:
    contestant = Contestant(
        f"the daemon, {dumps} dumps of {len(_TABLES)} tables",
        (sys.executable, "-m", "benchmarks.contestants.daemon"),
        environment={"DAGSTER_HOME": str(home.folder), "PYTHONPATH": str(REPOSITORY)},
        folder=home.folder,
    )
    return _taken(home, dumps, _TABLES, contestant)


def _taken(home: Home, dumps: int, tables: tuple[str, ...], contestant: Contestant) -> Measured:
    home.make()
    for dump_id in range(1, dumps + 1):
        deliver(home.export, dump_id, dict.fromkeys(tables, _ROWS))
    run = run_once(contestant)
    home.require_applied(dumps * len(tables))
    return summed_up(contestant.name, [run])


CASE = ManyDumps()
