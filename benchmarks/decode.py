"""Decoding Avro into the lake, against fastavro's dictionaries and against the limit.

    python benchmarks/decode.py [--rows 1000000] [--small-files 2000]

Made-up pageviews of 20 columns in ten snappy files. Each contestant runs in a process of its own,
three times, and its best run counts: seconds after imports, peak memory over what importing takes.
They have one core each where it does not say two. The limit is what nobody can avoid: decompressing
the blocks, and writing a frame of these rows, which is there already, as Parquet. fastavro gets one
file of the ten, its seconds times ten.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cramjam
import fastavro
import polars as pl
from polars.io.plugins import register_io_source
from rich.console import Console
from rich.table import Table

from csq_assets.dataconnect.container import Container
from csq_assets.dataconnect.manifest import TableDump
from csq_assets.dataconnect.raw_table import RawPartition, write_partition

FILES, SMALL_ROWS, WIDE_COLUMNS = 10, 500, 1_000
LEVEL = 1  # of zstd, for everyone
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
IDS = ("event_id", "user_id", "session_id")
TEXTS = (
    *("time", "type", "library", "platform", "device_type", "country", "region", "city", "ip"),
    *("referrer", "landing_page", "browser", "domain", "path", "query", "hash", "title"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one contestant needs."""

    rows: int
    cpu_seconds: float
    wall_seconds: float
    peak_mb: float


def pageviews(rows: int, seed: int) -> Iterator[dict[str, Any]]:
    pick = random.Random(seed)
    for row in range(rows):
        yield {
            "event_id": pick.getrandbits(63),
            "user_id": pick.getrandbits(53),
            "session_id": pick.getrandbits(53),
            "time": f"2024-04-24 23:{row % 60:02d}:{pick.randrange(60):02d}.{row % 1000:03d}",
            "type": "pageview",
            "library": "web",
            "platform": "Windows 10",
            "device_type": pick.choice(("Desktop", "Mobile")),
            "country": pick.choice(("France", "Germany", "United States")),
            "region": pick.choice(("IDF", "Bavaria", "CA")),
            "city": pick.choice(("Paris", "Munich", "San Francisco")),
            "ip": f"10.{pick.randrange(256)}.{pick.randrange(256)}.4",
            "referrer": "https://www.google.com/",
            "landing_page": f"https://shop.example.com/p/{pick.randrange(5000)}",
            "browser": "Chrome 124",
            "domain": "shop.example.com",
            "path": f"/p/{pick.randrange(5000)}",
            "query": None if row % 3 else f"?utm_campaign={pick.randrange(50)}",
            "hash": None,
            "title": f"Product {pick.randrange(5000)} - Shop",
        }


def make_files(folder: Path, files: int, rows: int) -> None:
    """As Spark writes them: one schema, blocks of 64 kB."""
    fields = [{"name": name, "type": "long"} for name in IDS[:2]]
    fields += [{"name": IDS[2], "type": ["null", "long"]}]
    fields += [{"name": name, "type": ["null", "string"]} for name in TEXTS]
    schema = {"type": "record", "name": "pageviews", "fields": fields}
    folder.mkdir()
    for index in range(files):
        with (folder / f"part-{index:05}.avro").open("wb") as file:
            rows_of_file = pageviews(rows, seed=index)
            fastavro.writer(file, schema, rows_of_file, codec="snappy", sync_interval=64_000)


def make_wide_files(folder: Path, files: int, rows: int) -> None:
    names = [f"property_{index}" for index in range(WIDE_COLUMNS)]
    fields = [{"name": name, "type": ["null", "string"]} for name in names]
    schema = {"type": "record", "name": "wide", "fields": fields}
    folder.mkdir()
    for index in range(files):
        made = ({names[(row * 7) % WIDE_COLUMNS]: f"value {row}"} for row in range(rows))
        with (folder / f"part-{index:05}.avro").open("wb") as file:
            fastavro.writer(file, schema, made, codec="snappy", sync_interval=64_000)


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.avro"))


# Each takes the folder of the files and the Parquet file to write, prepares, and gives what is timed,
# which answers with the number of rows.


def prepare_fastavro(folder: Path, out: Path) -> Callable[[], int]:
    del out

    def run() -> int:
        with parts(folder)[0].open("rb") as file:
            return pl.DataFrame(list(fastavro.reader(file)), infer_schema_length=None).height

    return run


def prepare_ours(folder: Path, out: Path, *, workers: int) -> Callable[[], int]:
    files = tuple(str(path) for path in parts(folder))
    dump = TableDump(dump_id=1, table=folder.name, incremental=True, columns=(), files=files)

    def write(partition: RawPartition) -> int:
        source = register_io_source(lambda *_: partition.frames(), schema=partition.schema)
        source.sink_parquet(
            out,
            compression="zstd",
            compression_level=LEVEL,
            row_group_size=max(4_096, min(122_880, 4_000_000 // len(partition.schema))),
            metadata=lambda _: {"rows": str(partition.totals.rows)},
        )
        return partition.totals.rows

    return lambda: write_partition(dump, lambda path: Path(path).open("rb"), write, workers=workers)


def prepare_limit(folder: Path, out: Path) -> Callable[[], int]:
    frame = pl.read_parquet(out.with_name("ready.parquet"))

    def run() -> int:
        for path in parts(folder):
            with path.open("rb") as file:
                for block in Container(file).blocks():
                    cramjam.snappy.decompress_raw(block.packed[:-4])
        frame.write_parquet(out, compression="zstd", compression_level=LEVEL)
        return frame.height

    return run


CONTESTANTS: dict[str, Callable[[Path, Path], Callable[[], int]]] = {
    "fastavro": prepare_fastavro,
    "ours": partial(prepare_ours, workers=2),
    "limit": prepare_limit,
}


def compete(name: str, folder: Path, out: Path) -> Measured:
    """One run, in a process that does nothing else."""
    run = CONTESTANTS[name](folder, out)
    before_mb, cpu, wall = peak_mb(), time.process_time(), time.perf_counter()
    rows = run()
    return Measured(
        rows=rows,
        cpu_seconds=time.process_time() - cpu,
        wall_seconds=time.perf_counter() - wall,
        peak_mb=peak_mb() - before_mb,
    )


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(name: str, folder: Path, out: Path, *, cores: int = 1) -> Measured:
    """The best of three runs, since others use the machine too; of memory the worst."""
    if hasattr(os, "sched_setaffinity"):  # inherited by the run; macOS gives it every core
        os.sched_setaffinity(0, CORES[:cores])
    command = (sys.executable, __file__, "--compete", name, str(folder), str(out))
    answers = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in "123"]
    runs = [Measured(**json.loads(answer.stdout)) for answer in answers]
    return Measured(
        rows=min(run.rows for run in runs),
        cpu_seconds=min(run.cpu_seconds for run in runs),
        wall_seconds=min(run.wall_seconds for run in runs),
        peak_mb=max(run.peak_mb for run in runs),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--small-files", type=int, default=2_000)
    parser.add_argument("--compete", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.compete:
        name, folder, out = options.compete
        print(json.dumps(asdict(compete(name, Path(folder), Path(out)))))
        return
    with tempfile.TemporaryDirectory() as temporary:
        report(Path(temporary), options.rows // FILES, options.small_files)


def report(folder: Path, rows: int, small_files: int) -> None:
    console = Console()
    many, small, wide = folder / "pageviews", folder / "small", folder / "wide"
    with console.status("making files"):
        make_files(many, FILES, rows)
        make_files(small, small_files, SMALL_ROWS)
        make_wide_files(wide, FILES, rows // 20)
    with console.status("decoding them"):
        plain = measure("fastavro", many, folder / "fastavro")
        one = measure("ours", many, folder / "ready.parquet")
        two = measure("ours", many, folder / "two.parquet", cores=2)
        limit = measure("limit", many, folder / "limit.parquet")
        tiny = measure("ours", small, folder / "small.parquet", cores=2)
        broad = measure("ours", wide, folder / "wide.parquet", cores=2)
    assert one.rows == two.rows == limit.rows == FILES * plain.rows == FILES * rows
    assert tiny.rows == small_files * SMALL_ROWS
    assert broad.rows == FILES * (rows // 20)
    times_fastavro = FILES * plain.cpu_seconds / one.cpu_seconds
    times_limit = one.cpu_seconds / limit.cpu_seconds
    per_file_ms = tiny.wall_seconds * 1_000 / small_files
    both = one.wall_seconds / two.wall_seconds

    runs = Table("run", "rows", "CPU s", "wall s", "rows/s", "peak MB")
    for name, run, times in (
        ("fastavro, dictionaries to a frame, times 10", plain, FILES),
        ("ours to Parquet, one core", one, 1),
        ("ours to Parquet, two cores", two, 1),
        ("limit: decompress, write Parquet", limit, 1),
        (f"ours, {small_files:,} files of {SMALL_ROWS}, two cores", tiny, 1),
        (f"ours, {WIDE_COLUMNS:,} columns, mostly null, two cores", broad, 1),
    ):
        cpu, wall = run.cpu_seconds * times, run.wall_seconds * times
        cells = (f"{cpu:.2f}", f"{wall:.2f}", f"{run.rows * times / wall:,.0f}")
        runs.add_row(name, f"{run.rows * times:,}", *cells, f"{run.peak_mb:.0f}")
    goals = Table("goal", "", "reached")
    goals.add_row("times fastavro's dictionaries, CPU", ">= 8", f"{times_fastavro:.1f}")
    goals.add_row("times the limit, CPU", "<= 3", f"{times_limit:.2f}")
    goals.add_row("two cores, times one, wall", ">= 1.8", f"{both:.2f}")
    goals.add_row("peak over imports, MB", "<= 600", f"{max(two.peak_mb, broad.peak_mb):.0f}")
    goals.add_row("small file, ms", "<= 1", f"{per_file_ms:.2f}")
    for table in (runs, goals):
        for column in table.columns[1:]:
            column.justify = "right"
        console.print(table)


if __name__ == "__main__":
    main()
