"""The trials of `make torture`: each gives outcomes for the record."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from csq_assets_tests.torture.crashes import Kill, prepared
from csq_assets_tests.torture.load import loads
from csq_assets_tests.torture.record import Tried
from csq_assets_tests.torture.scenarios import INCREMENT, SCENARIOS
from csq_assets_tests.torture.storage_faults import KINDS
from csq_assets_tests.torture.storms import Stormy, sea

_KILL = TypeAdapter(Kill)
_FULL_FROM = (1, 5)  # the operation below a place from which on there is no room
_CLOCK = "the clock an hour back"
ROOM = (
    "data/lake/raw",
    "data/lake/.staging",
    "data/lake/ledger",
    "data/lake/relations",
    "data/warehouse.duckdb",
    "data/snapshot",
    "data/dagster/history/runs.db",
    "data/dagster/history/runs",
    "data/dagster/logs",
)


@dataclass(frozen=True, slots=True)
class Options:
    """How much is tried. `folder` keeps what was found: a trial that was cut short goes on."""

    folder: Path
    kills: int = 12
    seed: int = 1
    only: tuple[str, ...] = ()
    say: Callable[[str], object] = print

    def wants(self, name: str) -> bool:
        return not self.only or name in self.only


def crashes(options: Options) -> Iterator[Tried]:
    """Kills at durable operations, of each command."""
    for scenario in SCENARIOS:
        if not options.wants(scenario.name):
            continue
        name = scenario.name.replace(" ", "_")
        kept = options.folder / f"{name}-{options.seed}.kills"
        done = [_KILL.validate_json(line) for line in _lines(kept)]
        with prepared(scenario, options.folder / name) as found, kept.open("a") as file:
            numbers = found.chosen(options.kills, options.seed)
            for number in [each for each in numbers if each not in {kill.at for kill in done}]:
                kill = found.kill_at(number)
                done.append(kill)
                file.write(_KILL.dump_json(kill).decode() + "\n")
                file.flush()
        yield kills_tried(scenario.name, done, options)


def room(options: Options) -> Iterator[Tried]:
    """No room on the disk, place by place, and a clock that went back."""
    with prepared(INCREMENT, options.folder / "room") as crashes_of:
        for place in (*ROOM, ""):
            name = f"no room below {place}" if place else "no room in DAGSTER_HOME"
            if options.wants(name):
                below = crashes_of.place.home / place
                found = [crashes_of.fill_at(number, below) for number in _FULL_FROM]
                yield _tried("Room", name, found, options, "room")
        if options.wants(_CLOCK):
            yield _tried("Room", _CLOCK, [crashes_of.with_clock_off(-3600)], options, "room")


def storage_faults(options: Options) -> Iterator[Tried]:
    """Each kind of fault of S3 alone, then all together."""
    with sea(options.folder / "sea") as found:
        for name, kinds, share in (
            *((kind, (kind,), 0.15) for kind in KINDS),
            ("all of them", KINDS, 0.03),
        ):
            if options.wants(name):
                yield storm_tried(name, found.sail(kinds, options.seed, share), options)


def s3_kills(options: Options) -> Iterator[Tried]:
    """Kills at requests to S3, of a first sync into a lake there."""
    with sea(options.folder / "sea") as found:
        total = len(found.faulty.requests)
        drawn = random.Random(options.seed)  # noqa: S311
        numbers = drawn.sample(range(1, total), min(options.kills, total - 1))
        kills = [found.kill_at(number) for number in sorted(numbers)]
        yield _tried("Crashes", "first sync, at requests to S3", kills, options, "s3_kills")


def load(options: Options) -> Iterator[Tried]:
    """Several commands and readers at once."""
    for found in loads(options.folder / "load"):
        command, day = "python -m csq_assets_tests.torture load", datetime.now(UTC).date()
        wrong = bool(found.differences)
        for line in found.differences:
            options.say(f"{found.name}: {line}")
        yield Tried("Load", found.name, found.acts, found.acts, int(wrong), command, day)


def storm_tried(name: str, found: Stormy, options: Options) -> Tried:
    """`tried` counts requests, and `landed` those that were hit."""
    for line in found.differences:
        options.say(f"{name}: {line}")
    command, day = "python -m csq_assets_tests.torture storage_faults", datetime.now(UTC).date()
    wrong = len(found.differences)
    return Tried(
        "Storage faults", name, found.requests, found.hit, wrong, command, day, options.seed
    )


def kills_tried(name: str, kills: Sequence[Kill], options: Options) -> Tried:
    """With what the kills were before."""
    kinds = Counter(kill.operation.partition(" ")[0] for kill in kills if kill.landed)
    said = "before " + ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    return replace(_tried("Crashes", name, kills, options, "crashes"), notes=(said,))


def _tried(part: str, name: str, kills: Sequence[Kill], options: Options, trial: str) -> Tried:
    for kill in kills:
        for line in kill.differences:
            options.say(f"{name}, before {kill.operation}: {line}")
    amount = "" if part == "Room" else f" --kills {options.kills}"
    return Tried(
        part,
        name,
        tried=len(kills),
        landed=sum(kill.landed for kill in kills),
        differences=sum(bool(kill.differences) for kill in kills),
        command=f"python -m csq_assets_tests.torture {trial}{amount}",
        day=datetime.now(UTC).date(),
        seed=None if part == "Room" else options.seed,
    )


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


TRIALS: dict[str, Callable[[Options], Iterator[Tried]]] = {
    "crashes": crashes,
    "s3_kills": s3_kills,
    "room": room,
    "storage_faults": storage_faults,
    "load": load,
}
