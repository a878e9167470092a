"""Several commands and readers at once, on one platform."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import duckdb

from csq_assets.defs.sensor import INTERVAL_SECONDS
from csq_assets_tests.torture.crashes import Crashes, prepared
from csq_assets_tests.torture.many_manifests import MANIFESTS, ticks_of_many
from csq_assets_tests.torture.real_daemons import work_together
from csq_assets_tests.torture.scenarios import INCREMENT, Place
from csq_assets_tests.torture.warm import Ended, Warm, start_warm

READERS = 100
KNOWN = "ticks of the sensor, with all manifests known"


@dataclass(frozen=True, slots=True)
class Loaded:
    """One trial: `acts` is how many commands or readers were at work."""

    name: str
    acts: int
    differences: tuple[str, ...]
    notes: tuple[str, ...] = ()


# Two commands at once, of csq or of daemon.py; the last, how many are at work.
_TOGETHER: Mapping[str, tuple[tuple[str, ...], tuple[str, ...], int]] = {
    "two syncs": (("sync",), ("sync",), 2),
    "a sync and a rebuild": (("sync",), ("rebuild",), 2),
    "a sync and a run from the UI": (("sync",), ("materialize", "12"), 2),
    "a sync and five materializations": (
        ("sync",),
        ("materialize", "11", "12", "11", "12", "11"),
        6,
    ),
    "a sync and the daemon's runs": (("sync",), ("daemon",), 2),
    "two daemons": (("daemon",), ("daemon",), 2),
}
_REAL_DAEMONS = "two processes of dagster-daemon"
_READERS_OF_COPY = "readers of the snapshot, beside a sync"
_HOLDER = "a reader that never lets go of the DuckDB file"


def loads(folder: Path, wants: Callable[[str], bool] = lambda _name: True) -> Iterator[Loaded]:
    """Each on an export with an increment that is due. Raises NoCompilerError."""
    with ExitStack() as stack:
        crashes = stack.enter_context(prepared(INCREMENT, folder))
        other = stack.enter_context(start_warm(folder / "other"))
        for name in filter(wants, _TOGETHER):
            yield at_once(crashes, other, name)
        if wants(_REAL_DAEMONS):
            crashes.restore()
            faults = tuple(work_together(crashes.place, 2))
            yield Loaded(_REAL_DAEMONS, 2, (*faults, *crashes.finish()))
        if wants(_READERS_OF_COPY):
            yield _readers(crashes)
        if wants(_HOLDER):
            yield _holder(crashes)
        if wants(KNOWN):
            yield _many_manifests(crashes.warm, folder)


def at_once(crashes: Crashes, other: Warm, name: str) -> Loaded:
    """Two commands at the same time, then a sync."""
    crashes.restore()
    first, second, acts = _TOGETHER[name]
    with ThreadPoolExecutor(2) as pool:
        started = [
            pool.submit(crashes.place.csq, crashes.warm, *first),
            pool.submit(crashes.place.csq, other, *second),
        ]
        ended = [each.result() for each in started]
    return Loaded(name, acts, (*_failed(ended), *crashes.finish()))


def _many_manifests(warm: Warm, folder: Path) -> Loaded:
    """The sensor of an export with thousands of dumps, all of them taken: its ticks have to be over
    before the next one is due, and find nothing to do."""
    ticks, differences = ticks_of_many(warm, Place(folder / "many"))
    slowest = max((tick.seconds for tick in ticks), default=0)
    if slowest > INTERVAL_SECONDS:
        differences = (*differences, f"a tick took {slowest:.0f} s")
    cpu_seconds = max((tick.cpu_seconds for tick in ticks), default=0)
    memory_mb = max((tick.memory_mb for tick in ticks), default=0)
    note = (
        f"{MANIFESTS:,} of them: a tick took {cpu_seconds:.1f} s of CPU time at most, its process "
        f"{memory_mb:.0f} MB"
    )
    return Loaded(KNOWN, len(ticks), differences, (note,))


def _failed(ended: list[Ended]) -> Iterator[str]:
    for each in ended:
        if each.code or each.has_traceback:
            yield f"ended with {each.code}: {each.stderr[-800:]}"


def _readers(crashes: Crashes) -> Loaded:
    """A hundred read the snapshot while syncs replace it: each sees the users of before or of after."""
    crashes.restore()
    snapshot = crashes.place.home / "data" / "snapshot" / "copy.duckdb"
    before = _users(snapshot)
    is_over, seen, wrong = threading.Event(), set[int](), list[str]()

    def read() -> None:
        while not is_over.is_set():
            try:
                seen.add(_users(snapshot))
            except duckdb.Error as error:
                wrong.append(f"a reader failed: {error}")
                return

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    ended = crashes.place.csq(crashes.warm, "sync")
    is_over.set()
    for reader in readers:
        reader.join()
    if seen != {before, _users(snapshot)}:
        wrong.append(f"readers saw {sorted(seen)} users, of {before} and {_users(snapshot)}")
    return Loaded(
        _READERS_OF_COPY,
        READERS,
        (*_failed([ended]), *wrong, *crashes.finish()),
    )


def _holder(crashes: Crashes) -> Loaded:
    """One reader keeps the DuckDB file open: the sync waits, says who it is, and loses nothing."""
    crashes.restore()
    said: tuple[str, ...] = ()
    with duckdb.connect(str(crashes.place.warehouse), read_only=True):
        ended = crashes.place.csq(crashes.warm, "sync")
        if ended.code != 1 or ended.has_traceback or "warehouse.duckdb" not in ended.stderr:
            said = (f"ended with {ended.code}: {ended.stderr[-800:]}",)
    return Loaded(_HOLDER, 1, (*said, *crashes.finish()))


def _users(path: Path) -> int:
    """How many there are, by an instance of DuckDB of its own: another opens the file anew."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"ATTACH '{path}' AS copy (READ_ONLY)")
        row = connection.execute("SELECT count(*) FROM copy.csq.users").fetchone()
    assert row is not None
    return row[0]
