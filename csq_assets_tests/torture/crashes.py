"""Kills at durable operations: a command is ended at the n-th, finished, and compared with one that
was not ended."""

import itertools
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from csq_assets_tests.torture.scenarios import Place, Scenario
from csq_assets_tests.torture.shim import Hit, operations
from csq_assets_tests.torture.small_disk import small_disk
from csq_assets_tests.torture.state import State, half_done, state_of, unreadable
from csq_assets_tests.torture.warm import Ended, Warm, start_warm

_ENDED_BY_SIGNAL = range(-signal.NSIG, 0)
_KILLED, _NO_MEMORY_FOR_A_THREAD = -9, 127  # the C library ends a process so
LEFT_BEHIND = "left behind: "
_DAGSTER = "/data/dagster/"
_DAY_SECONDS = 25 * 3600  # after which what a kill has staged is removed


class BrokenTrialError(Exception):
    """The trial itself could not be made: what it starts from is not as it should be."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill, before `operation`; `differences` are empty where all is right afterwards. Where it was
    `remedied`, csq named a remedy, which was followed."""

    scenario: str
    at: int
    operation: str
    landed: bool
    differences: tuple[str, ...]
    remedied: bool = False


@dataclass(frozen=True, slots=True)
class Crashes:
    """A scenario that was prepared: `operations` are those of its command, `before` is what readers see
    before it, and `wanted` is its end."""

    scenario: Scenario
    warm: Warm
    place: Place
    folder: Path
    operations: tuple[str, ...]
    before: State | None
    wanted: State
    code: int
    planted: str = ""

    def chosen(self, count: int, seed: int) -> list[int]:
        """The operations to kill at, drawn: half of them outside Dagster's databases, to which most
        operations go."""
        drawn = random.Random(seed)  # noqa: S311
        numbers = range(1, len(self.operations) + 1)
        ours = [number for number in numbers if _DAGSTER not in self.operations[number - 1]]
        few = drawn.sample(ours, min(count // 2, len(ours)))
        rest = sorted({*numbers} - {*few})
        return sorted([*few, *drawn.sample(rest, min(count - len(few), len(rest)))])

    def sweep(self, below: Path) -> Iterator[Kill]:
        """Kill at each operation on what is there or below, first to last, until none is left."""
        for number in itertools.count(1):
            kill = self.kill_at(number, below)
            if kill.landed or kill.differences:
                yield kill
            if not kill.landed:
                return

    def kill_at(self, number: int, below: Path | None = None) -> Kill:
        """End the command before the operation, finish, and compare. Only what is done `below` counts,
        or else all in DAGSTER_HOME."""
        self.restore()
        hit = Hit((below or self.place.home,), at=number)
        command = self.scenario.command
        ended = self.place.csq(self.warm, *command, hit=hit, planted=self.planted)
        done = operations(self.folder / "warm")
        if ended.code == _KILLED:
            shown = half_done(self.place, self.before, self.wanted)
            differences = (*shown, *self.finish())
        elif ended.code == self.code:
            differences = tuple(self._failed(ended))
        else:
            differences = (f"the command ended with {ended.code}: {ended.stderr[-500:]}",)
        what = done[number - 1] if len(done) >= number else ""
        return Kill(self.scenario.name, number, what, ended.code == _KILLED, differences)

    def fill_at(
        self, number: int, below: Path, action: Literal["full", "readonly"] = "full"
    ) -> Kill:
        """Let the disk be full, or read-only, from the n-th operation `below` on; then mend it, finish,
        and compare. It has landed where the command could not do all."""
        self.restore()
        hit = Hit((below,), at=number, action=action)
        ended = self.place.csq(self.warm, *self.scenario.command, hit=hit)
        done = operations(self.folder / "warm")
        differences = [*self._failed(ended), *self.finish()]
        what = done[number - 1] if len(done) >= number else ""
        landed = bool(what) and ended.code != self.code
        return Kill(self.scenario.name, number, what, landed, tuple(differences))

    def operations_below(self, below: Path) -> list[str]:
        """Those of the command on what is there or below."""
        return [one for one in self.operations if one.partition(" ")[2].startswith(str(below))]

    def numbers_below(self, below: Path, count: int, seed: int) -> list[int]:
        """The first operation on what is there or below, and some drawn from the others: those that
        `fill_at` takes."""
        total = len(self.operations_below(below))
        drawn = random.Random(seed)  # noqa: S311
        return [1, *sorted(drawn.sample(range(2, total + 1), max(min(count, total) - 1, 0)))]

    def with_little_room(self, kilobytes: int) -> Kill:
        """Run the command where all its files are on a disk with so much room; then make room, finish,
        and compare. Raises CannotMountError."""
        self.restore()
        data = self.place.home / "data"
        with small_disk(data, _template(self.folder) / "home" / "data") as disk:
            disk.leave_room(kilobytes)
            ended = self.place.csq(self.warm, *self.scenario.command)
            differences = [*self._failed(ended)]
            disk.leave_room()
            differences += self.finish()
        what = f"{kilobytes} kB, and the command ended with {ended.code}"
        landed = ended.code != self.code
        return Kill(self.scenario.name, kilobytes, what, landed, tuple(differences))

    def with_little_memory(self, megabytes: int) -> Kill:
        """Run the command with so much more address space than it has before it begins; then without a
        limit, and compare. Where native code ends the process, that is a kill."""
        self.restore()
        command = self.scenario.command
        ended = self.place.csq(self.warm, *command, memory_bytes=megabytes * 1024**2)
        is_kill = ended.code in (*_ENDED_BY_SIGNAL, _NO_MEMORY_FOR_A_THREAD)
        shown = unreadable(self.place, self.before, self.wanted)
        differences = (*(shown if is_kill else self._failed(ended)), *self.finish())
        what = f"{megabytes} MB, and the command ended with {ended.code}"
        return Kill(self.scenario.name, 0, what, ended.code != self.code, differences)

    def with_clock_off(self, seconds: int) -> Kill:
        """Run the command with another clock, which is an hour back after a change of the clock."""
        self.restore()
        hit = Hit(clock_off_seconds=seconds)
        ended = self.place.csq(self.warm, *self.scenario.command, hit=hit)
        differences = [*self._failed(ended), *self.finish()]
        return Kill(self.scenario.name, 0, "", landed=True, differences=tuple(differences))

    def restore(self) -> None:
        """Put what the scenario starts from in the place of what is there; times stay the same."""
        shutil.rmtree(self.place.folder)
        shutil.copytree(_template(self.folder), self.place.folder)

    def _failed(self, ended: Ended) -> Iterator[str]:
        """What may not be right after a failure; and where the command says that there was none, all
        has to be done."""
        yield from not_in_a_sentence(ended)
        if ended.code == self.code:
            yield from self._compare()
        else:
            yield from unreadable(self.place, self.before, self.wanted)

    def finish(self) -> Iterator[str]:
        """Put everything right, a day later; gives what is otherwise than wanted."""
        let_a_day_pass(self.place)
        for command in self.scenario.finish:
            ended = self.place.csq(self.warm, *command)
            yield from _faults(command, ended, self.code)
        yield from self._compare()
        yield from stray(self.place)

    def _compare(self) -> Iterator[str]:
        try:
            found = state_of(self.place)
        except Exception as error:  # noqa: BLE001  # that is what there is to find
            yield f"what is there cannot be read: {error!r}"
        else:
            yield from found.differences(self.wanted)


@contextmanager
def prepared(scenario: Scenario, folder: Path, *, planted: str = "") -> Iterator[Crashes]:
    """Build what the scenario starts from, and run it once without a kill and once from nothing.

    Raises BrokenTrialError where these two differ, and NoCompilerError.
    """
    with start_warm(folder / "warm") as warm:
        place = Place(folder / "now", variables=scenario.variables)
        place.make()
        scenario.deliver_before(place.export)
        if scenario.before:
            _require(place.csq(warm, "sync"))
        before = state_of(place) if scenario.before else None
        scenario.deliver_news(place.export)
        shutil.rmtree(_template(folder), ignore_errors=True)
        shutil.copytree(place.folder, _template(folder))

        hit = Hit((place.home,))
        ended = _require(place.csq(warm, *scenario.command, hit=hit, planted=planted))
        done = tuple(operations(folder / "warm"))
        for command in scenario.finish:
            _require(place.csq(warm, *command))
        wanted = state_of(place)
        _compare_with_replay(scenario, warm, place, wanted)
        yield Crashes(scenario, warm, place, folder, done, before, wanted, ended.code, planted)


def _compare_with_replay(scenario: Scenario, warm: Warm, place: Place, wanted: State) -> None:
    """The same export, taken in at once by a platform that has seen nothing."""
    fresh = replace(place, folder=place.folder.with_name("fresh"))
    fresh.make()
    shutil.rmtree(fresh.folder / "export")
    shutil.copytree(place.folder / "export", fresh.folder / "export")
    for command in dict.fromkeys((("sync",), *scenario.finish)):
        _require(fresh.csq(warm, *command))
    replayed = state_of(fresh).tables
    mine = dict(wanted.tables)
    if scenario.name == "full resync":  # the dumps that it voided are never decoded by a replay
        replayed, mine = ({**tables, "csq_meta.dumps": None} for tables in (replayed, mine))
    if mine != replayed:
        different = [name for name in {*mine, *replayed} if mine.get(name) != replayed.get(name)]
        raise BrokenTrialError(f"{scenario.name} differs from a replay: {sorted(different)}")


def _template(folder: Path) -> Path:
    return folder / "template"


def _require(ended: Ended) -> Ended:
    if ended.code not in (0, 3):
        raise BrokenTrialError(f"a command that was not ended: {ended.code}\n{ended.stderr}")
    return ended


def _faults(command: tuple[str, ...], ended: Ended, code: int) -> Iterator[str]:
    name = " ".join(command)
    if ended.code != code:
        yield f"csq {name} ended with {ended.code}, not {code}: {ended.stderr[-800:]}"
    if ended.has_traceback:
        yield f"csq {name} showed a traceback: {ended.stderr[-800:]}"


def not_in_a_sentence(ended: Ended) -> Iterator[str]:
    """What a command may not end with, or say."""
    if ended.has_traceback:
        yield f"a traceback: {ended.stderr[-1500:]}"
    if ended.code not in (0, 1, 2, 3) or (ended.code and not ended.stderr.strip()):
        yield f"ended with {ended.code}, and said: {ended.stderr[-500:]}"


def stray(place: Place) -> Iterator[str]:
    """What csq has left in its lake's staging and in TMPDIR, where Dagster's daemon leaves its own."""
    staged = (place.home / "data" / "lake" / ".staging").glob("*")
    temporary = (place.folder / "tmp").glob("csq_assets-*")
    yield from (f"{LEFT_BEHIND}{path}" for path in sorted((*staged, *temporary)))


def let_a_day_pass(place: Place) -> None:
    """Over what was staged, and what is in TMPDIR."""
    past = time.time() - _DAY_SECONDS
    for path in (*(place.home / "data").rglob(".staging/*"), *(place.folder / "tmp").rglob("*")):
        os.utime(path, (past, past))
