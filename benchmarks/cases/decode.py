"""Decoding Avro into the lake, beside other readers and beside what nobody can avoid."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measure import Measured, ratio
from benchmarks.readers import FAST, OURS, Decoded, available, compete, limit, ours, peer
from benchmarks.results import Goal, Result, Sizes

_FILES = 10
_DICTIONARIES = "fastavro's dictionaries to a frame, a tenth of the rows, scaled"
_ONE, _TWO = f"{OURS}, one core", f"{OURS}, two cores"
_FAST_ONE, _FAST_TWO = f"{FAST}, one core", f"{FAST}, two cores"
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
            lambda: ours(dump, _ONE, numba=False, cores=1),
            lambda: ours(dump, _TWO, numba=False, cores=2),
            lambda: ours(dump, _FAST_ONE, numba=True, cores=1),
            lambda: ours(dump, _FAST_TWO, numba=True, cores=2),
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
    for name, one, two, least, most in (
        ("decoding", _ONE, _TWO, "≥ 8", "≤ 3"),
        ("decoding with Numba", _FAST_ONE, _FAST_TWO, "≥ 15", "≤ 2"),
    ):
        if one in runs:
            times_dictionaries = ratio(runs[_DICTIONARIES].cpu, runs[one].cpu)
            times_limit = ratio(runs[one].cpu, runs[_LIMIT_ONE].cpu)
            two_cores = ratio(runs[one].wall, runs[two].wall)
            yield Goal(
                f"{name}, CPU beside fastavro's dictionaries", times_dictionaries, "×", least
            )
            yield Goal(f"{name}, CPU in multiples of the limit", times_limit, "×", most)
            yield Goal(f"{name}, two cores beside one", two_cores, "×", "≥ 1.8")
    on_two_cores = ratio(runs[_LIMIT_ONE].wall, runs[_LIMIT_TWO].wall)
    yield Goal("the limit itself, two cores beside one", on_two_cores, "×")


CASE = Decode()
