"""Kills that cut a write of the DuckDB file in two. Half a block may be damage: then csq names a
remedy, which is followed."""

from collections.abc import Iterator

from csq_assets_tests.torture.crashes import Crashes, Kill
from csq_assets_tests.torture.shim import Hit, operations

_DAMAGE = "The file is damaged. Move it away and run csq rebuild"
_KILLED = -9


def torn_writes(crashes: Crashes) -> Iterator[Kill]:
    """One for each write of the command to the DuckDB file."""
    for number, what in enumerate(crashes.operations, start=1):
        if what == _write_of(crashes):
            yield tear_at(crashes, number)


def tear_at(crashes: Crashes, number: int) -> Kill:
    """End the command in the midst of the operation, finish as csq says, and compare."""
    crashes.restore()
    place, warm, name = crashes.place, crashes.warm, crashes.scenario.name
    hit = Hit((place.home,), at=number, tears_duckdb=True)
    ended = place.csq(warm, *crashes.scenario.command, hit=hit)
    done = operations(crashes.folder / "warm")
    what = done[number - 1] if len(done) >= number else ""
    if ended.code != _KILLED or what != _write_of(crashes):  # threads take turns as they like
        return Kill(name, number, what, landed=False, differences=())
    remedied = _DAMAGE in " ".join(place.csq(warm, "sync").stderr.split())
    differences: list[str] = []
    if remedied:
        for path in place.warehouse.parent.glob(f"{place.warehouse.name}*"):
            path.rename(place.folder / path.name)
        rebuilt = place.csq(warm, "rebuild")
        if rebuilt.code or rebuilt.has_traceback:
            differences.append(f"csq rebuild ended with {rebuilt.code}: {rebuilt.stderr[-500:]}")
    differences += crashes.finish()
    return Kill(name, number, what, landed=True, differences=tuple(differences), remedied=remedied)


def _write_of(crashes: Crashes) -> str:
    return f"pwrite {crashes.place.warehouse}"
