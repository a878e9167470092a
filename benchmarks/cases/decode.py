"""Decoding Avro into the lake, beside other readers and beside what nobody can avoid."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measure import ratio
from benchmarks.readers import OURS, Decoded, available, compete, limit, ours, peer
from benchmarks.results import Goal, Result, Sizes

_FILES = 10
_DICTIONARIES = "fastavro's dictionaries to a frame, a tenth of the rows, scaled"
_ONE, _TWO = f"{OURS}, one core", f"{OURS}, two cores"
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
            lambda: ours(dump, _TWO, cores=2),
            lambda: limit(dump, _LIMIT_ONE, cores=1),
            lambda: limit(dump, _LIMIT_TWO, cores=2),
        )
        runs = compete(dump, readers, rounds=sizes.rounds)
        times_dictionaries = ratio(runs[_DICTIONARIES].cpu, runs[_ONE].cpu)
        times_limit = ratio(runs[_ONE].cpu, runs[_LIMIT_ONE].cpu)
        two_cores = ratio(runs[_ONE].wall, runs[_TWO].wall)
        limit_on_two = ratio(runs[_LIMIT_ONE].wall, runs[_LIMIT_TWO].wall)
        dictionaries = "fastavro's dictionaries, by CPU seconds"
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                f"{sizes.rows:,} page views of 24 columns in ten files, packed with snappy, into "
                "one Parquet file with zstd; seconds without imports. The limit decompresses the "
                "blocks and writes a frame of these rows that is there already."
            ),
            goals=(
                Goal(f"decoding, times {dictionaries}", times_dictionaries, "×", "≥ 8"),
                Goal(f"in the end, times {dictionaries}", times_dictionaries, "×", "≥ 15"),
                Goal("decoding, times the limit by CPU seconds", times_limit, "×", "≤ 3"),
                Goal("in the end, times the limit by CPU seconds", times_limit, "×", "≤ 2"),
                Goal("two cores, times faster than one", two_cores, "×", "≥ 1.8"),
                Goal("the limit itself on two cores, times faster than on one", limit_on_two, "×"),
            ),
            runs=tuple(runs.values()),
            left_out=left_out,
        )


CASE = Decode()
