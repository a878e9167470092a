"""A dump a day, for years: does a day cost more as they go on, and what grows on the disk?

python -m csq_assets_tests.torture.long_life --days 400
"""

import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click

from csq_assets_tests.torture.days import (
    PLACES,
    TABLES,
    Day,
    by_daemon,
    by_syncs,
    by_ticks,
    stray,
)
from csq_assets_tests.torture.record import Tried, keep

_MEBIBYTE = 1024 * 1024
_MOST_GROWTH = 1.3
_LIVES = {
    "": (by_syncs, "a sync each day"),
    "--daemon": (by_daemon, "a dump each day, by the daemon"),
    "--ticks": (by_ticks, "a dump each day, by ticks and runs"),
}


def growth(values: Sequence[float]) -> float:
    """The median of the last month, or quarter, beside that of the first. The first days, which
    begin with empty files, do not count.
    """
    month = max(1, min(30, len(values) // 4))
    first = values[min(3, month) :][:month]
    return median(values[-month:]) / median(first)


@click.command(context_settings={"show_default": True})
@click.option("--days", default=60)
@click.option("--minutes", default=600, help="No day begins after so many.")
@click.option("--daemon", "life", flag_value="--daemon", help="By the daemon, not by csq sync.")
@click.option("--ticks", "life", flag_value="--ticks", help="By ticks and runs, without waits.")
@click.option("--folder", type=click.Path(path_type=Path), help="Kept, for a closer look.")
@click.option("--write/--no-write", default=False, help="Keep the outcome in the record.")
def main(days: int, minutes: int, folder: Path | None, *, life: str | None, write: bool) -> None:
    """Live for so many days; exit code 1 where a day grows by more than 1.3 times."""
    began, lived = time.monotonic(), list[Day]()
    with TemporaryDirectory() as temporary:
        place = (folder or Path(temporary)).absolute()
        live, name = _LIVES[life or ""]
        for number, day in enumerate(live(place, days), start=1):
            lived.append(day)
            click.echo(f"day {number}: {_in_words(day)}")
            if time.monotonic() - began > minutes * 60:
                break
        left = stray(place)
    command = f"python -m csq_assets_tests.torture.long_life --days {len(lived)} {life or ''}"
    faults = [*(day.fault for day in lived if day.fault), *left]
    grown = {
        "CPU time": growth([day.cpu_seconds for day in lived]),
        "memory": growth([day.memory_mb for day in lived]),
    }
    notes = (*_notes(lived, grown), f"it took {(time.monotonic() - began) / 60:.0f} minutes")
    for line in (*faults, *notes):
        click.echo(line)
    differences = len(faults) + sum(one > _MOST_GROWTH for one in grown.values())
    if write:
        tried = Tried(
            "Long life",
            name,
            tried=len(lived),
            landed=len(lived),
            differences=differences,
            command=command.strip(),
            day=datetime.now(UTC).date(),
            notes=notes,
        )
        keep([tried])
    sys.exit(bool(differences))


def _in_words(day: Day) -> str:
    disk = ", ".join(
        f"{name} {day.disk[at][0]} files {day.disk[at][1] / _MEBIBYTE:.1f} MB"
        for name, at in PLACES.items()
    )
    return f"{day.cpu_seconds:.2f} CPU s, {day.memory_mb:.0f} MB; {disk} {day.fault}"


def _notes(lived: Sequence[Day], grown: dict[str, float]) -> Iterator[str]:
    days = len(lived)
    quarter = "month" if days >= 120 else "quarter"
    factors = ", ".join(f"{factor:.2f} × {what}" for what, factor in grown.items())
    yield f"{days} days of {TABLES} tables; a day of the last {quarter} beside the first: {factors}"
    middle = lived[days // 2].disk
    for name, at in PLACES.items():
        files, size = lived[-1].disk[at]
        more = days - 1 - days // 2
        yield (
            f"{name}: {size / _MEBIBYTE:.1f} MB in {files:,} files at the end, of which each day of "
            f"the second half brought {(size - middle[at][1]) / 1024 / max(1, more):.0f} kB and "
            f"{(files - middle[at][0]) / max(1, more):.1f} files"
        )


if __name__ == "__main__":
    main()
