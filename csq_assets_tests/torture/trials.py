"""The trials of `make torture`: each gives outcomes for the record."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

from pydantic import TypeAdapter

from csq_assets_tests.torture.crashes import Crashes, Kill, prepared
from csq_assets_tests.torture.large_day import large_day
from csq_assets_tests.torture.load import Loaded, loads
from csq_assets_tests.torture.proof import FOUND_BELOW, kills_until_found
from csq_assets_tests.torture.record import Tried
from csq_assets_tests.torture.scenarios import INCREMENT, REBUILD, SCENARIOS, SPILLING
from csq_assets_tests.torture.small_disk import CannotMountError
from csq_assets_tests.torture.storage_faults import KINDS
from csq_assets_tests.torture.storms import Stormy, sea
from csq_assets_tests.torture.torn import torn_writes

_KILL = TypeAdapter(Kill)
_A_PLACE = 3  # of so many kills, one is tried as a full disk at each place
_TMPDIR_FULL_FROM = (1, 4, 14, 40)  # where Python cannot use it from the first on, it takes /tmp
_CLOCK = "the clock an hour back"
_TOGETHER = "all of them"
_SHARE_ALONE, _SHARE_TOGETHER = 0.05, 0.04  # of the requests
_A_KIND = 5  # of so many requests with all kinds, one is sent with each alone
_BEFORE, _AFTER = "first sync, before a request to S3", "first sync, after a request to S3"
_SMALL_DISK = "a small disk, in memory"
_ROOM_KILOBYTES = tuple(256 * 2**doubled for doubled in range(10))
_SPILL, _STAGING = "no room for what DuckDB spills", "no room in TMPDIR, with a lake on S3"
_MEMORY = "a limit on memory"
_MEMORY_MB = (1_000, 500, 250, 120, 60, 30)  # more than it has when it begins
_READ_ONLY = ("data/lake", "data/dagster", "data/snapshot", "data/warehouse.duckdb")
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
    """How much is tried. `folder` keeps what was found: a trial that was cut short goes on. Storage
    faults are tried before SeaweedFS where `weed` names its program, else before moto's server."""

    folder: Path
    kills: int = 12
    requests: int = 300
    page_views: int = 1_000_000
    seed: int = 1
    only: tuple[str, ...] = ()
    weed: Path | None = None
    say: Callable[[str], object] = print

    def wants(self, name: str) -> bool:
        return not self.only or name in self.only

    def kills_at(
        self, name: str, numbers: Sequence[int], kill_at: Callable[[int], Kill]
    ) -> list[Kill]:
        """Kills at these numbers, of which those that the folder keeps are not made again."""
        kept = self.folder / f"{name.replace(' ', '_')}-{self.seed}.kills"
        lines = kept.read_text().splitlines() if kept.exists() else []
        kills = {kill.at: kill for kill in map(_KILL.validate_json, lines)}
        with kept.open("a") as file:
            for number in numbers:
                if number not in kills:
                    kills[number] = kill_at(number)
                    file.write(_KILL.dump_json(kills[number]).decode() + "\n")
                    file.flush()
        return [kills[number] for number in numbers]


def crashes(options: Options) -> Iterator[Tried]:
    """Kills at durable operations, of each command."""
    for scenario in SCENARIOS:
        if not options.wants(scenario.name):
            continue
        with prepared(scenario, options.folder / scenario.name.replace(" ", "_")) as found:
            numbers = found.chosen(options.kills, options.seed)
            kills = options.kills_at(scenario.name, numbers, found.kill_at)
        yield kills_tried(scenario.name, kills, options)


def room(options: Options) -> Iterator[Tried]:
    """No room on the disk, place by place; a disk that cannot be written; little memory; and a clock
    that went back."""
    if options.wants(_SPILL):
        with prepared(SPILLING, options.folder / "spill") as spilling:
            below = spilling.place.warehouse.with_name("warehouse.duckdb.tmp")
            numbers = spilling.numbers_below(below, options.kills // _A_PLACE, options.seed)
            found = [spilling.fill_at(number, below) for number in numbers]
        yield _tried("Room", _SPILL, found, options, "room")
    if options.wants(_STAGING):
        with sea(options.folder / "staging") as on_s3:
            found = [on_s3.fill_staging(number) for number in _TMPDIR_FULL_FROM]
        yield _tried("Room", _STAGING, found, options, "room")
    with prepared(INCREMENT, options.folder / "room") as crashes_of:
        for name, tries in _of_room(crashes_of, options).items():
            if options.wants(name):
                try:
                    found = list(tries())
                except CannotMountError as error:
                    options.say(f"{name}: left out: {error}")
                    continue
                said = tuple(kill.operation for kill in found) if name == _MEMORY else ()
                yield replace(_tried("Room", name, found, options, "room"), notes=said)


def _of_room(crashes_of: Crashes, options: Options) -> dict[str, Callable[[], Iterable[Kill]]]:
    """What is tried, by its row."""
    home, many = crashes_of.place.home, options.kills // _A_PLACE

    def full(below: Path) -> Iterator[Kill]:
        for number in crashes_of.numbers_below(below, many, options.seed):
            yield crashes_of.fill_at(number, below)

    return {
        **{f"no room below {place}": partial(full, home / place) for place in ROOM},
        "no room in DAGSTER_HOME": partial(full, home),
        _SMALL_DISK: partial(_small_disks, crashes_of, many),
        **{
            f"read-only: {place}": partial(_once, crashes_of.fill_at, 1, home / place, "readonly")
            for place in _READ_ONLY
        },
        _MEMORY: partial(map, crashes_of.with_little_memory, _MEMORY_MB),
        _CLOCK: partial(_once, crashes_of.with_clock_off, -3600),
    }


def _once(trial: Callable[..., Kill], *arguments: object) -> Iterator[Kill]:
    yield trial(*arguments)


def _small_disks(crashes_of: Crashes, count: int) -> Iterator[Kill]:
    """Twice as much room each time, until the command ends well; then less of it, in even steps.
    Raises CannotMountError."""
    enough = 0
    for enough in _ROOM_KILOBYTES:
        yield (kill := crashes_of.with_little_room(enough))
        if not kill.landed:
            break
    yield from map(crashes_of.with_little_room, range(0, enough, max(enough // max(count, 1), 4)))


def planted(options: Options) -> Iterator[Tried]:
    """Faults that are planted into csq: each has to be found by kills."""
    for fault in FOUND_BELOW:
        if options.wants(fault):
            kills = kills_until_found(fault, options.folder / "planted")
            yield Tried(
                "Planted faults",
                fault,
                tried=len(kills),
                landed=len(kills),
                differences=int(not kills[-1].differences),
                command="python -m csq_assets_tests.torture planted",
                day=datetime.now(UTC).date(),
            )


def torn(options: Options) -> Iterator[Tried]:
    """Kills that cut a write of the DuckDB file in two, at each of its writes."""
    for scenario in (INCREMENT, REBUILD):
        name = f"{scenario.name}, a write of DuckDB in two"
        if options.wants(name):
            with prepared(scenario, options.folder / "torn") as found:
                kills = list(islice(torn_writes(found), options.kills))
            remedied = sum(kill.remedied for kill in kills)
            said = f"{remedied or 'none'} damaged the file; csq names the remedy, which is followed"
            yield replace(_tried("Crashes", name, kills, options, "torn"), notes=(said,))


def storage_faults(options: Options) -> Iterator[Tried]:
    """Each kind of fault of S3 alone, then all together."""
    where = ", before SeaweedFS" if options.weed else ""
    with sea(options.folder / "sea", options.weed) as found:
        for name, kinds, share, at_least in (
            *((kind, (kind,), _SHARE_ALONE, options.requests // _A_KIND) for kind in KINDS),
            (_TOGETHER, KINDS, _SHARE_TOGETHER, options.requests),
        ):
            if options.wants(name):
                storms = found.sail_far(kinds, options.seed, share, at_least)
                yield storm_tried(name + where, storms, options)


def s3_kills(options: Options) -> Iterator[Tried]:
    """Kills at requests to S3, of a first sync into a lake there: before S3 has a request, and after it
    has done the deed."""
    with sea(options.folder / "sea") as found:
        total = found.requests_of_a_sync()
        for name, after in ((_BEFORE, False), (_AFTER, True)):
            if options.wants(name):
                drawn = random.Random(options.seed + after)  # noqa: S311
                numbers = drawn.sample(range(1, total + 1), min(options.kills, total))
                kills = options.kills_at(name, sorted(numbers), partial(found.kill_at, after=after))
                tried = _tried("Crashes", name, kills, options, "s3_kills")
                yield replace(tried, notes=(f"of {total} requests of a sync",))


def load(options: Options) -> Iterator[Tried]:
    """Several commands and readers at once."""
    for found in loads(options.folder / "load", options.wants):
        yield _load_tried(found, "load", options)


def large_days(options: Options) -> Iterator[Tried]:
    """A day's delivery of many page views."""
    found = large_day(options.folder / "large", options.page_views)
    yield _load_tried(found, f"large_days --page-views {options.page_views}", options)


def storm_tried(name: str, storms: Iterable[Stormy], options: Options) -> Tried:
    """`tried` counts requests, and `landed` those that were hit."""
    found = Stormy(0, 0, 0, 0, ())
    for storm in storms:
        for line in storm.differences:
            options.say(f"{name}: {line}")
        found += storm
    command = f"python -m csq_assets_tests.torture storage_faults --requests {options.requests}"
    if options.weed:
        command += " --weed .venv-spark/bin/weed"
    return Tried(
        "Storage faults",
        name,
        found.requests,
        found.hit,
        len(found.differences),
        command,
        datetime.now(UTC).date(),
        options.seed,
        notes=(f"{found.went_well} of {found.syncs} syncs ended well",),
    )


def kills_tried(name: str, kills: Sequence[Kill], options: Options) -> Tried:
    """With what the kills were before."""
    kinds = Counter(kill.operation.partition(" ")[0] for kill in kills if kill.landed)
    said = "before " + ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
    return replace(_tried("Crashes", name, kills, options, "crashes"), notes=(said,))


def _load_tried(found: Loaded, arguments: str, options: Options) -> Tried:
    for line in found.differences:
        options.say(f"{found.name}: {line}")
    return Tried(
        "Load",
        found.name,
        tried=found.acts,
        landed=found.acts,
        differences=int(bool(found.differences)),
        command=f"python -m csq_assets_tests.torture {arguments}",
        day=datetime.now(UTC).date(),
        notes=found.notes,
    )


def _tried(part: str, name: str, kills: Sequence[Kill], options: Options, trial: str) -> Tried:
    for kill in kills:
        for line in kill.differences:
            options.say(f"{name}, before {kill.operation}: {line}")
    return Tried(
        part,
        name,
        tried=len(kills),
        landed=sum(kill.landed for kill in kills),
        differences=sum(bool(kill.differences) for kill in kills),
        command=f"python -m csq_assets_tests.torture {trial} --kills {options.kills}",
        day=datetime.now(UTC).date(),
        seed=options.seed,
    )


TRIALS: dict[str, Callable[[Options], Iterator[Tried]]] = {
    "crashes": crashes,
    "planted": planted,
    "torn": torn,
    "s3_kills": s3_kills,
    "room": room,
    "storage_faults": storage_faults,
    "load": load,
    "large_days": large_days,
}
