"""An export of thousands of dumps, all of them taken, and ticks of the sensor that find nothing new."""

import json
from dataclasses import dataclass
from functools import partial

from csq_assets.aws import s3_client
from csq_assets.lake.locations import open_lake
from csq_assets_tests.pipeline.passes import Passes
from csq_assets_tests.torture.scenarios import Place
from csq_assets_tests.torture.warm import Warm

MANIFESTS = 5_000
_TICKS = 4
_TABLE = "users"


@dataclass(frozen=True, slots=True)
class Tick:
    """What a tick took, in a process that has loaded the code location before."""

    seconds: float
    memory_mb: float
    said: str


def ticks_of_many(
    warm: Warm, place: Place, manifests: int = MANIFESTS
) -> tuple[tuple[Tick, ...], tuple[str, ...]]:
    """The ticks but for the first, which tells Dagster of the dumps; and what is not as it should."""
    take(place, manifests)
    refreshed = place.csq(warm, "sync")
    ended = place.csq(warm, "ticks", str(_TICKS + 1))
    if refreshed.code or ended.code:
        return (), (f"ended with {refreshed.code}, {ended.code}: {ended.stderr[-800:]}",)
    ticks = tuple(Tick(**found) for found in map(json.loads, ended.stdout.splitlines()))
    return ticks[1:], tuple(tick.said for tick in ticks[1:] if "nothing new" not in tick.said)


def take(place: Place, manifests: int) -> None:
    """Deliver so many dumps of one row, and decode them into the lake, without Dagster."""
    place.make()
    for dump_id in range(1, manifests + 1):
        place.export.deliver(dump_id, tables={_TABLE: [{"user_id": dump_id}]})
    lake = open_lake(place.lake, s3_client)
    passes = Passes(place.export, lake)
    passes.look()
    lake.ledger.take(range(1, manifests + 1), lake.ledger.fold())
    for dump_id in range(1, manifests + 1):
        publish = partial(lake.store.write, _TABLE, dump_id)
        passes.ingest(dump_id, _TABLE).write(publish)
