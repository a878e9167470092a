"""A dump a day, a sync each: does a day cost more as the years go on, and what grows on the disk?

python -m csq_assets_tests.torture.long_life --days 400
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click

from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.platform import SCRIPTS, make_home
from csq_assets_tests.targets import DirectoryTarget
from csq_assets_tests.torture.record import Tried, keep

TABLES = 12
_ROWS = 50
_FIRST_DUMP = 1_000
_START = datetime(2026, 1, 1, 5, tzinfo=UTC)
_MEBIBYTE = 1024 * 1024
_MOST_GROWTH = 1.3
PLACES = {
    "Dagster": "data/dagster",
    "lake": "data/lake",
    "DuckDB": "data/warehouse.duckdb",
}


@dataclass(frozen=True, slots=True)
class Day:
    """What one sync took, and what is on the disk after it: files and bytes by place."""

    code: int
    cpu_seconds: float
    memory_mb: float
    disk: dict[str, tuple[int, int]]


def live(folder: Path, days: int) -> Iterator[Day]:
    """Deliver a dump and run `csq sync`, day after day."""
    (folder / "export").mkdir()
    make_home(folder)
    export = ExportBuilder(DirectoryTarget(folder / "export"))
    environment = {name: one for name, one in os.environ.items() if not name.startswith("CSQ_")}
    environment |= {"DAGSTER_HOME": str(folder), "CSQ_EXPORT_URL": "export"}
    for day in range(days):
        deliver(export, day)
        code, cpu_seconds, memory_mb = _timed(folder, environment)
        yield Day(code, cpu_seconds, memory_mb, {at: _size(folder / at) for at in PLACES.values()})


def deliver(export: ExportBuilder, day: int) -> None:
    """Users, sessions and event tables: half of the users come every day, and one merges."""
    when = _START + timedelta(days=day)
    users = [*range(_ROWS // 2), *range(day * _ROWS, day * _ROWS + _ROWS // 2)]
    moment = when.isoformat()
    events = [
        {"event_id": day * _ROWS + row, "user_id": user, "session_id": row, "time": moment}
        for row, user in enumerate(users)
    ]
    tables = {
        "users": [{"user_id": user, "plan": f"plan {day % 7}"} for user in users],
        "sessions": [{"user_id": user, "session_id": day, "time": moment} for user in users],
        "user_migrations": [
            {"from_user_id": one * _ROWS, "to_user_id": 1} for one in range(1, day + 1)
        ],
        **{f"event_{number}": events for number in range(TABLES - 3)},
    }
    columns = {"user_migrations": ["from_user_id", "to_user_id"]}
    export.report(f"{when.date()}")
    export.deliver(_FIRST_DUMP + day, tables=tables, columns=columns)


def _timed(folder: Path, environment: dict[str, str]) -> tuple[int, float, float]:
    """The exit code of `csq sync`, its CPU time, and the most memory that it took."""
    process = os.posix_spawn(
        SCRIPTS / "csq",
        ["csq", "sync"],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, str(folder / "printed"), os.O_CREAT | os.O_WRONLY, 0o600),
        ],
    )
    _, status, used = os.wait4(process, 0)
    cpu_seconds = used.ru_utime + used.ru_stime
    return os.waitstatus_to_exitcode(status), cpu_seconds, used.ru_maxrss / 1024


def _size(place: Path) -> tuple[int, int]:
    """The files of a folder, and their bytes."""
    paths = place.rglob("*") if place.is_dir() else [place]
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    return len(sizes), sum(sizes)


def growth(values: Sequence[float]) -> float:
    """The median of the last month, or quarter, beside that of the first. The first days, which
    begin with empty files, do not count.
    """
    month = max(1, min(30, len(values) // 4))
    first = values[min(3, month) :][:month]
    return median(values[-month:]) / median(first)


def stray(folder: Path) -> list[str]:
    """What only a killed process would leave."""
    kept = (folder / "data" / "lake" / ".staging").glob("*")
    return sorted(str(path) for path in (*kept, *folder.rglob("*.wal")))


@click.command()
@click.option("--days", default=60, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), help="Kept, for a closer look.")
@click.option("--write/--no-write", default=False, help="Keep the outcome in the record.")
def main(days: int, folder: Path | None, *, write: bool) -> None:
    """Live for so many days; exit code 1 where a day grows by more than 1.3 times."""
    with TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        lived: list[Day] = []
        began = time.monotonic()
        os.chdir(place)
        for number, day in enumerate(live(place, days), start=1):
            lived.append(day)
            disk = ", ".join(
                f"{name} {day.disk[at][0]} files {day.disk[at][1] / _MEBIBYTE:.1f} MB"
                for name, at in PLACES.items()
            )
            click.echo(
                f"day {number}: exit code {day.code}, {day.cpu_seconds:.2f} CPU s, "
                f"{day.memory_mb:.0f} MB; {disk}"
            )
        left = stray(place)
        os.chdir("/")
    cpu, memory = (
        growth([day.cpu_seconds for day in lived]),
        growth([day.memory_mb for day in lived]),
    )
    failed = sum(day.code != 0 for day in lived)
    notes = (
        f"a day of the last month beside the first: {cpu:.2f} × CPU time, {memory:.2f} × memory",
        *_growth_on_disk(lived),
        f"{days} days of {TABLES} tables took {(time.monotonic() - began) / 60:.0f} minutes",
    )
    for note in notes:
        click.echo(note)
    differences = failed + (max(cpu, memory) > _MOST_GROWTH) + len(left)
    command = f"python -m csq_assets_tests.torture.long_life --days {days}"
    if write:
        today = datetime.now(UTC).date()
        name = "a sync each day"
        keep([Tried("Long life", name, days, days, differences, command, today, notes=notes)])
    sys.exit(bool(differences))


def _growth_on_disk(lived: Sequence[Day]) -> Iterator[str]:
    middle = lived[len(lived) // 2].disk
    days = len(lived) - 1 - len(lived) // 2
    for name, at in PLACES.items():
        files, size = (
            after - before for after, before in zip(lived[-1].disk[at], middle[at], strict=True)
        )
        total = lived[-1].disk[at]
        yield (
            f"{name}: {total[1] / _MEBIBYTE:.1f} MB in {total[0]:,} files at the end, "
            f"{size / 1024 / max(1, days):.0f} kB and {files / max(1, days):.1f} files more each day "
            "in the second half"
        )


if __name__ == "__main__":
    main()
