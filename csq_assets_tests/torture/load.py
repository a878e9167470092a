"""Several commands and readers at once, on one platform."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import duckdb

from csq_assets_tests.torture.crashes import Crashes, prepared
from csq_assets_tests.torture.scenarios import INCREMENT
from csq_assets_tests.torture.warm import Ended, Warm, start_warm

READERS = 100


@dataclass(frozen=True, slots=True)
class Loaded:
    """One trial: `acts` is how many commands or readers were at work."""

    name: str
    acts: int
    differences: tuple[str, ...]


def loads(folder: Path) -> Iterator[Loaded]:
    """Each on an export with an increment that is due. Raises NoCompilerError."""
    with ExitStack() as stack:
        crashes = stack.enter_context(prepared(INCREMENT, folder))
        other = stack.enter_context(start_warm(folder / "other"))
        for name, second in (("two syncs", "sync"), ("a sync and a rebuild", "rebuild")):
            crashes.restore()
            ended = _at_once(crashes, other, "sync", second)
            yield Loaded(name, 2, (*_failed(ended), *crashes.finish()))
        yield _readers(crashes)
        yield _holder(crashes)


def _at_once(crashes: Crashes, other: Warm, first: str, second: str) -> list[Ended]:
    with ThreadPoolExecutor(2) as pool:
        started = [
            pool.submit(crashes.place.csq, crashes.warm, first),
            pool.submit(crashes.place.csq, other, second),
        ]
        return [each.result() for each in started]


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
    if odd := seen - {before, _users(snapshot)}:
        wrong.append(f"readers saw {sorted(odd)} users")
    return Loaded(
        "readers of the snapshot, beside a sync",
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
    name = "a reader that never lets go of the DuckDB file"
    return Loaded(name, 1, (*said, *crashes.finish()))


def _users(path: Path) -> int:
    """How many there are, by a connection of its own."""
    with duckdb.connect(str(path), read_only=True) as connection:
        row = connection.execute("SELECT count(*) FROM csq.users").fetchone()
    assert row is not None
    return row[0]
