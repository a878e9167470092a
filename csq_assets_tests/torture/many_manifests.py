"""An export of thousands of dumps, all of them taken, and ticks of the sensor that find nothing new."""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from csq_assets.aws import s3_client
from csq_assets.dataconnect.tables import BUILT_IN_TABLES, PROPERTY_DEFINITIONS
from csq_assets.lake.locations import open_lake
from csq_assets_tests.pipeline.passes import Passes
from csq_assets_tests.torture.scenarios import Place
from csq_assets_tests.torture.warm import Warm

MANIFESTS = 5_000
_TICKS = 4
_TOLD_AT_ONCE = (
    1_000  # partitions of tables that a dump does not list, of which a tick tells Dagster
)
_FEW = 100
_TABLE = "users"
_LONG_AGO = 1_767_225_600  # 2026-01-01


@dataclass(frozen=True, slots=True)
class Tick:
    """What a tick took, in a process that has loaded the code location before."""

    seconds: float
    cpu_seconds: float
    memory_mb: float
    said: str


def ticks_of_many(
    warm: Warm, place: Place, manifests: int = MANIFESTS
) -> tuple[tuple[Tick, ...], tuple[str, ...]]:
    """The ticks once Dagster was told of all dumps; and what is not as it should."""
    take(place, manifests)
    refreshed = place.csq(warm, "sync")
    told = manifests * len({*BUILT_IN_TABLES, PROPERTY_DEFINITIONS} - {_TABLE})
    ended = place.csq(warm, "ticks", str(told // _TOLD_AT_ONCE + 1 + _TICKS))
    if refreshed.code or ended.code:
        return (), (f"ended with {refreshed.code}, {ended.code}: {ended.stderr[-800:]}",)
    ticks = tuple(Tick(**found) for found in map(json.loads, ended.stdout.splitlines()))
    wrong = tuple(tick.said for tick in ticks[-_TICKS:] if "nothing new" not in tick.said)
    return ticks[-_TICKS:], wrong


def take(place: Place, manifests: int) -> None:
    """Deliver so many dumps of one row, and decode them into the lake, without Dagster, long ago."""
    place.make()
    dumps = range(1, manifests + 1)
    for dump_id in dumps:
        place.export.deliver(dump_id, tables={_TABLE: [{"user_id": dump_id}]})
    lake = open_lake(place.lake, s3_client)
    passes = Passes(place.export, lake)
    passes.look()
    lake.ledger.take(dumps, lake.ledger.fold())
    for start in range(0, manifests, _FEW):
        _decode(passes, dumps[start : start + _FEW], Path(place.lake))
    lake.ledger.fold()
    for path in Path(place.lake, "ledger").iterdir():
        os.utime(path, (_LONG_AGO, _LONG_AGO))


def _decode(passes: Passes, few: Iterable[int], lake: Path) -> None:
    """Into a lake of their own, whose partitions are moved: each looks for those beside it."""
    aside = lake.with_name("aside")
    for dump_id in few:
        ingest = replace(passes.ingest(dump_id, _TABLE), lake=open_lake(str(aside), s3_client))
        ingest.write(partial(ingest.lake.store.write, _TABLE, dump_id))
    for folder in (f"raw/{_TABLE}", "ledger"):
        (lake / folder).mkdir(parents=True, exist_ok=True)
        for path in (aside / folder).iterdir():
            path.rename(lake / folder / path.name)
    shutil.rmtree(aside)
