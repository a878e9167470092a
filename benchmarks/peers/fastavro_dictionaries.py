"""fastavro gives dictionaries, Polars makes a frame of them. Writing Parquet is not timed."""

import fastavro
import polars as pl

from benchmarks.peers.given import given_files
from benchmarks.timed import report

files, out = given_files()
frames: list[pl.DataFrame] = []


def work() -> int:
    for path in files:
        with path.open("rb") as file:
            frames.append(pl.DataFrame(list(fastavro.reader(file)), infer_schema_length=None))
    return sum(frame.height for frame in frames)


report(work)
pl.concat(frames, how="diagonal_relaxed").write_parquet(out)
