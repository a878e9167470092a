"""Decoding Avro into the lake, beside other readers and beside what nobody can avoid."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measure import Measured, ratio
from benchmarks.readers import OURS, Decoded, available, compete, limit, ours, peer
from benchmarks.results import Goal, Result, Sizes

_FILES = 10
_DICTIONARIES = "fastavro's dictionaries to a frame, a tenth of the rows, scaled"
_ONE, _TWO = f"{OURS}, one core", f"{OURS}, two cores"
_UNPROVEN = f"{OURS}, one core, without proof"
_LIMIT_ONE, _LIMIT_TWO = "the limit, one core", "the limit, two cores"


@dataclass(frozen=True, slots=True)
class Decode:
    """Ten files of page views into one partition."""

    name: str = "decode"
    title: str = "Decoding page views into the lake"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError, also where a contestant wrote other rows."""
        dump = Decoded.deliver(folder, "pageviews", sizes.rows, _FILES)
        other = partial(peer, dump, cores=1, install=sizes.peers)
        readers, left_out = available(
            lambda: other(_DICTIONARIES, "fastavro_dictionaries", files=1),
            lambda: other("pl.read_avro, one core", "polars_read_avro", files=_FILES),
            lambda: other("polars-avro, one core", "polars_avro_scan", files=_FILES),
            lambda: ours(dump, _ONE, cores=1),
            lambda: ours(dump, _UNPROVEN, cores=1, module="unproven"),
            lambda: ours(dump, _TWO, cores=2),
            lambda: limit(dump, _LIMIT_ONE, cores=1),
            lambda: limit(dump, _LIMIT_TWO, cores=2),
        )
        runs = compete(dump, readers, rounds=sizes.rounds)
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                f"{sizes.rows:,} page views of 24 columns in ten files, packed with snappy, into "
                "one Parquet file with zstd; seconds without imports. The limit decompresses the "
                "blocks and writes a frame of these rows that is there already."
            ),
            goals=tuple(_goals(runs)),
            runs=tuple(runs.values()),
            left_out=left_out,
        )


def _goals(runs: Mapping[str, Measured]) -> Iterator[Goal]:
    dictionaries, limit_one = runs[_DICTIONARIES].cpu, runs[_LIMIT_ONE].cpu
    one, two = runs[_ONE], runs[_TWO]
    by_dictionaries, by_limit = (
        "CPU beside fastavro's dictionaries",
        "CPU in multiples of the limit",
    )
    yield Goal(f"decoding, {by_dictionaries}", ratio(dictionaries, one.cpu), "×", "≥ 10", _EXACT)
    yield Goal(f"decoding, {by_limit}", ratio(one.cpu, limit_one), "×", "≤ 2.2", _EXACT)
    proof = 100 * (1 - ratio(runs[_UNPROVEN].cpu, one.cpu))
    yield Goal("of decoding, what proves that values are exact, CPU", proof, "%")
    yield Goal("decoding, two cores beside one", ratio(one.wall, two.wall), "×", "≥ 1.8", _CORES)
    on_two_cores = ratio(runs[_LIMIT_ONE].wall, runs[_LIMIT_TWO].wall)
    yield Goal("the limit itself, two cores beside one", on_two_cores, "×")


_EXACT = (
    "on top of the limit, which unpacks and writes, Polars' reader reads the values, and a part of "
    "the time proves that each is exactly what its bytes say, which no other reader does; a compiled "
    "reader of our own was faster, see what was tried"
)
_CORES = (
    "one core writes the Parquet while both decode, and each decodes slower beside the other: they "
    "share caches and memory"
)

CASE = Decode()
