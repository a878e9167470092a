"""A dump a day, for years: does a day cost more as they go on, and what grows on the disk?

python -m csq_assets_tests.torture.long_life --days 400
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click

from csq_assets_tests.torture.days import (
    DELIVERED,
    PLACES,
    TABLES,
    Day,
    by_daemon,
    by_syncs,
    by_ticks,
    days_of,
    stray,
)
from csq_assets_tests.torture.record import Tried, keep

_MEBIBYTE = 1024 * 1024
_MOST_GROWTH = 1.3
_GROWING = ("Dagster", "lake")  # with what is delivered; DuckDB's file has room to reuse
_MONTH, _EMPTY_DAYS = 30, 3  # which begin with empty files, and do not count
_LIVES = {
    "": (by_syncs, "a sync each day"),
    "--daemon": (by_daemon, "a dump each day, by the daemon"),
    "--ticks": (by_ticks, "a dump each day, by ticks and runs"),
}


@click.command(context_settings={"show_default": True})
@click.option("--days", default=60)
@click.option("--daemon", "life", flag_value="--daemon", help="By the daemon, not by csq sync.")
@click.option("--ticks", "life", flag_value="--ticks", help="By ticks and runs, without waits.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Kept, for a closer look; a life that was interrupted there goes on.",
)
@click.option("--write/--no-write", default=False, help="Keep the outcome in the record.")
def main(days: int, folder: Path | None, *, life: str | None, write: bool) -> None:
    """Live for so many days, and in turn with the last month another first month: machines are busy at
    times. Exit code 1 where a day has grown by more than 1.3 times."""
    began, lived, young = time.monotonic(), list[Day](), list[Day]()
    month = max(1, min(_MONTH, days // 4))
    with TemporaryDirectory() as temporary:
        place, other = (folder or Path(temporary, "old")).absolute(), Path(temporary, "young")
        live, name = _LIVES[life or ""]
        before = days_of(place)
        if before > days - month:
            raise click.UsageError(f"{before} days were lived there: give more --days.")
        with (
            closing(live(other, month + _EMPTY_DAYS)) as first_month,
            closing(live(place, days)) as all_days,
        ):
            for number, day in enumerate(all_days, start=before + 1):
                lived.append(day)
                click.echo(f"day {number}: {_in_words(day)}")
                if number > days - month:
                    if not young:
                        young += islice(first_month, _EMPTY_DAYS)
                    young.append(next(first_month))
                    click.echo(f"a first month in turn with it: {_in_words(young[-1])}")
        left = [*stray(place), *stray(other)]
    command = f"python -m csq_assets_tests.torture.long_life --days {days} {life or ''}"
    faults = [*(day.fault for day in (*lived, *young) if day.fault), *left]
    last, first = lived[-month:], young[_EMPTY_DAYS:]
    grown = {
        "CPU time": growth([day.cpu_seconds for day in last], [day.cpu_seconds for day in first]),
        "memory": growth([day.memory_mb for day in last], [day.memory_mb for day in first]),
        **{f"bytes of {name}": growth_on_disk(lived, PLACES[name]) for name in _GROWING},
    }
    notes = (*_notes(lived, days, grown), _minutes(began, lived, days))
    for line in (*faults, *notes):
        click.echo(line)
    differences = len(faults) + sum(one > _MOST_GROWTH for one in grown.values())
    if write:
        tried = Tried(
            "Long life",
            name,
            tried=days,
            landed=days,
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


def growth(last: Sequence[float], first: Sequence[float]) -> float:
    """The median of the days of the last month beside that of those of the first."""
    return median(last) / median(first)


def growth_on_disk(lived: Sequence[Day], at: str) -> float:
    """What a day of the second half brought there beside one of the first, as far as it did not deliver
    more."""
    delivered = _brought(lived, DELIVERED)
    return _brought(lived, at) / max(delivered, 1)


def _brought(lived: Sequence[Day], at: str) -> float:
    """The bytes of a day of the second half beside those of one of the first."""
    sizes = [day.disk[at][1] for day in lived]
    middle, last = len(sizes) // 2, len(sizes) - 1
    first_half, second_half = sizes[middle] - sizes[0], sizes[last] - sizes[middle]
    if not middle or not first_half:
        return 1.0
    return (second_half / (last - middle or 1)) / (first_half / middle)


def _minutes(began: float, lived: Sequence[Day], days: int) -> str:
    taken = f"{(time.monotonic() - began) / 60:.0f} minutes"
    return f"it took {taken}" if len(lived) == days else f"the last {len(lived)} days took {taken}"


def _notes(lived: Sequence[Day], days: int, grown: dict[str, float]) -> Iterator[str]:
    factors = ", ".join(f"{factor:.2f} × {what}" for what, factor in grown.items())
    yield (
        f"{days} days of {TABLES} tables; a day of the last month, or quarter, beside one of a first "
        f"that was lived in turn with it: {factors}"
    )
    middle = lived[len(lived) // 2].disk
    for name, at in PLACES.items():
        files, size = lived[-1].disk[at]
        more = len(lived) - 1 - len(lived) // 2
        yield (
            f"{name}: {size / _MEBIBYTE:.1f} MB in {files:,} files at the end, of which each day of "
            f"the second half brought {(size - middle[at][1]) / 1024 / max(1, more):.0f} kB and "
            f"{(files - middle[at][0]) / max(1, more):.1f} files"
        )


if __name__ == "__main__":
    main()
