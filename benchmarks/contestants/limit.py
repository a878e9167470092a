"""What nobody can avoid: decompress the blocks, write Parquet of rows that are there. FOLDER OUT ROWS.

ROWS is a folder of Parquet files, read beforehand. A thread for each core decompresses files.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cramjam
import polars as pl

from benchmarks.timed import report
from csq_assets.avro.container import Container

folder, out, rows = map(Path, sys.argv[1:])
ready = pl.read_parquet(rows / "*.parquet")
cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def decompress(path: Path) -> None:
    with path.open("rb") as file:
        for block in Container(file).blocks():
            cramjam.snappy.decompress_raw(block.packed[:-4])  # without the CRC


def work() -> int:
    with ThreadPoolExecutor(cores) as threads:
        list(threads.map(decompress, sorted(folder.glob("*.avro"))))
    ready.write_parquet(out, compression="zstd", compression_level=1)
    return ready.height


report(work)
