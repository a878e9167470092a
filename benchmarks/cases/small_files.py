"""A table in a great many small files."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measure import ratio
from benchmarks.readers import OURS, Decoded, available, compete, ours, peer
from benchmarks.results import Goal, Result, Sizes

_ROWS_OF_FILE = 500
_CORES = 2
_WHY = "its rows alone take most of that: see what a million take in ten files"


@dataclass(frozen=True, slots=True)
class SmallFiles:
    """Files of 500 page views each."""

    name: str = "small_files"
    title: str = "Many small files"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError, also where a contestant wrote other rows."""
        files = sizes.small_files
        dump = Decoded.deliver(folder, "pageviews", files * _ROWS_OF_FILE, files)
        other = partial(peer, dump, cores=_CORES, files=files, install=sizes.peers)
        readers, left_out = available(
            lambda: ours(dump, cores=_CORES),
            lambda: other("pl.read_avro", "polars_read_avro"),
            lambda: other("polars-avro", "polars_avro_scan"),
        )
        runs = compete(dump, readers, rounds=sizes.rounds)
        each_ms = runs[OURS].wall.median * 1_000 / files
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                f"{files:,} files of {_ROWS_OF_FILE} page views into one Parquet file, on "
                "two cores; seconds without imports."
            ),
            goals=(
                Goal(f"a small file, {OURS}", each_ms, "ms", "≤ 1", _WHY),
                *(
                    Goal(f"small files beside {name}", ratio(run.wall, runs[OURS].wall), "×")
                    for name, run in runs.items()
                    if name != OURS
                ),
            ),
            runs=tuple(runs.values()),
            left_out=left_out,
        )


CASE = SmallFiles()
