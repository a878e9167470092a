"""The trials of `make torture`: each gives outcomes for the record."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from csq_assets_tests.torture.crashes import Kill, prepared
from csq_assets_tests.torture.record import Tried
from csq_assets_tests.torture.scenarios import SCENARIOS

_KILL = TypeAdapter(Kill)


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
        with prepared(scenario, options.folder / name) as prepared_crashes, kept.open("a") as file:
            numbers = prepared_crashes.chosen(options.kills, options.seed)
            for number in [each for each in numbers if each not in {kill.at for kill in done}]:
                kill = prepared_crashes.kill_at(number)
                done.append(kill)
                file.write(_KILL.dump_json(kill).decode() + "\n")
                file.flush()
                for difference in kill.differences:
                    options.say(f"{scenario.name}, before {kill.operation}: {difference}")
        yield kills_tried(scenario.name, done, options.seed)


def kills_tried(name: str, kills: Iterable[Kill], seed: int) -> Tried:
    """What the record says of them."""
    landed = [kill for kill in kills if kill.landed]
    kinds = Counter(kill.operation.partition(" ")[0] for kill in landed)
    return Tried(
        "Crashes",
        name,
        tried=len(list(kills)),
        landed=len(landed),
        differences=sum(bool(kill.differences) for kill in kills),
        command="python -m csq_assets_tests.torture crashes --kills 90",
        day=datetime.now(UTC).date(),
        seed=seed,
        notes=("before " + ", ".join(f"{n} {kind}" for kind, n in kinds.most_common()),),
    )


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


TRIALS: dict[str, Callable[[Options], Iterator[Tried]]] = {"crashes": crashes}
