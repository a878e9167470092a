"""polars-avro scans the files, and Polars writes Parquet as it goes."""

import polars as pl
import polars_avro  # pyright: ignore[reportMissingImports] - in an environment of its own

from benchmarks.peers.given import given_files
from benchmarks.timed import report

files, out = given_files()


def work() -> int:
    polars_avro.scan_avro(files).sink_parquet(out, compression="zstd", compression_level=1)
    return pl.scan_parquet(out).select(pl.len()).collect().item()


report(work)
