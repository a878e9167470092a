"""A table in a great many small files."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measure import ratio
from benchmarks.readers import FAST, OURS, Decoded, available, compete, ours, peer
from benchmarks.results import Goal, Result, Sizes

_ROWS_OF_FILE = 500
_CORES = 2


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
            lambda: ours(dump, OURS, numba=False, cores=_CORES),
            lambda: ours(dump, FAST, numba=True, cores=_CORES),
            lambda: other("pl.read_avro", "polars_read_avro"),
            lambda: other("polars-avro", "polars_avro_scan"),
        )
        runs = compete(dump, readers, rounds=sizes.rounds)
        ours_of_them = [runs[name] for name in (OURS, FAST) if name in runs]
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                f"{files:,} files of {_ROWS_OF_FILE} page views into one Parquet file, on "
                "two cores; seconds without imports."
            ),
            goals=(
                *(
                    Goal(f"a small file, {run.name}", run.wall.median * 1_000 / files, "ms", "≤ 1")
                    for run in ours_of_them
                ),
                *(
                    Goal(f"small files beside {name}", ratio(run.wall, runs[OURS].wall), "×")
                    for name, run in runs.items()
                    if run not in ours_of_them
                ),
            ),
            runs=tuple(runs.values()),
            left_out=left_out,
        )


CASE = SmallFiles()
