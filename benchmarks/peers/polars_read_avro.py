"""`pl.read_avro` takes a file at a time; the frames together are written as Parquet."""

import polars as pl

from benchmarks.peers.given import given_files
from benchmarks.timed import report

files, out = given_files()


def work() -> int:
    frame = pl.concat([pl.read_avro(path) for path in files])
    frame.write_parquet(out, compression="zstd", compression_level=1)
    return frame.height


report(work)
