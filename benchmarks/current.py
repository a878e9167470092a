# ruff: noqa: S608 - nothing comes from outside
"""An increment into current tables of some history, against computing them anew in DuckDB.

    python benchmarks/current.py [--history 1000000 5000000] [--memory-limit 2GB]

The increment brings 500,000 events, 450,000 of them new keys, and migrations of 10,000 users. Seconds
are those of the clock, up to the closed file; beside them those of the processor, as other work on
the machine changes the former. Each size of history is made, loaded and measured in turn, each step
in a process of its own.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import duckdb
import polars as pl

from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.current import refresh_table
from csq_assets.warehouse.identity import refresh_identity
from csq_assets.warehouse.rows import DumpContent

NEW_KEYS, REPLACED, MOVED_USERS = 450_000, 50_000, 10_000
TEXTS = ("time", *(f"property_{number}" for number in range(1, 19)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--history", type=int, nargs="+", default=[1_000_000, 5_000_000])
    parser.add_argument("--memory-limit", default="2GB")
    options = parser.parse_args()
    print(f"{'history':>12} {'load':>26}{'increment':>26}{'anew':>26}")
    for rows in options.history:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), rows, options.memory_limit)


def measure(folder: Path, history: int, memory_limit: str) -> None:
    users = history // 20
    first, last = history - REPLACED, history + NEW_KEYS
    make_events(folder / "history.parquet", 0, history, users, dump_id=1)
    make_events(folder / "increment.parquet", first, last, users, dump_id=2)
    make_migrations(folder / "migrations.parquet", users)
    done = [run(work, folder, memory_limit) for work in (load, increment, anew)]
    print(f"{history:12,} {''.join(f'{work!s:>26}' for work in done)}", flush=True)
    print(f"{'':12} {done[2].clock / done[1].clock:.1f} times faster than anew", flush=True)


def load(folder: Path, memory_limit: str) -> None:
    with open_warehouse(folder / "warehouse.duckdb", memory_limit=memory_limit) as connection:
        refresh_table(connection, "pageviews", [dump(folder / "history.parquet", 1)])


def increment(folder: Path, memory_limit: str) -> None:
    dumps = [dump(folder / "history.parquet", 1), dump(folder / "increment.parquet", 2)]
    with open_warehouse(folder / "warehouse.duckdb", memory_limit=memory_limit) as connection:
        refresh_identity(connection, dump(folder / "migrations.parquet", 2))
        audit = refresh_table(connection, "pageviews", dumps)
    assert audit.rows_updated >= REPLACED
    assert audit.reconciles
    assert audit.duplicated_keys == 0


def anew(folder: Path, _memory_limit: str) -> None:
    with duckdb.connect(str(folder / "anew.duckdb")) as connection:
        connection.execute("SET memory_limit = '8GB'; SET enable_progress_bar = false")
        files = [str(folder / f"{name}.parquet") for name in ("history", "increment")]
        connection.execute(ANEW, [files])


# What one would write without a warehouse of our own, and without resolving users.
ANEW = """
CREATE TABLE pageviews AS
SELECT * FROM read_parquet(?)
QUALIFY row_number() OVER (
    PARTITION BY user_id, event_id ORDER BY _dump_id DESC, _source_row DESC
) = 1
"""


def make_events(path: Path, start: int, stop: int, users: int, *, dump_id: int) -> None:
    """Events whose ids are spread over 52 bits, so that no zone map helps; columns like pageviews."""
    properties = ", ".join(
        f"'value ' || (hash(i * {place}) % {10 ** (place % 5 + 1)})::VARCHAR AS {name}"
        for place, name in enumerate(TEXTS[1:], start=2)
    )
    with duckdb.connect() as connection:
        connection.execute("SET preserve_insertion_order = false; SET memory_limit = '2GB'")
        connection.execute(
            f"COPY (SELECT {user('i')} AS user_id, (hash(i * 7 + 1) >> 12)::BIGINT AS event_id, "
            "(hash(i // 8) >> 12)::BIGINT AS session_id, "
            "strftime(TIMESTAMP '2026-01-01' + to_seconds(i // 2), '%Y-%m-%d %H:%M:%S') AS time, "
            f"{properties}, {dump_id}::BIGINT AS _dump_id, 's3://customer/x.avro' AS _source_file, "
            f"i::BIGINT AS _source_row FROM range({start}, {stop}) AS made(i)) "
            f"TO '{path}' (FORMAT parquet, COMPRESSION zstd)".replace("$users", str(users))
        )


def make_migrations(path: Path, users: int) -> None:
    """Each of 10,000 users becomes another one."""
    start, end = (user(number).replace("$users", str(users)) for number in ("i * 13", "i * 17 + 5"))
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT ({start})::VARCHAR AS from_user_id, ({end})::VARCHAR AS to_user_id, "
            f"2::BIGINT AS _dump_id FROM range({MOVED_USERS}) AS made(i)) "
            f"TO '{path}' (FORMAT parquet)"
        )


def user(number: str) -> str:
    return f"(hash(hash({number}) % $users) >> 12)::BIGINT"


def dump(path: Path, dump_id: int) -> DumpContent:
    def scan() -> pl.LazyFrame:
        return pl.scan_parquet(path)

    columns = [name for name in scan().collect_schema().names() if not name.startswith("_")]
    return DumpContent(dump_id, tuple(columns), path.name, scan)


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds by the clock and of the processors, and the most memory that the process had."""

    clock: float
    processor: float
    peak_mb: int

    def __str__(self) -> str:
        return f"{self.clock:.1f}s ({self.processor:.1f}s) {self.peak_mb:,} MB"


def run(work: Callable[[Path, str], None], folder: Path, memory_limit: str) -> Measured:
    """Do it in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measured, work, folder, memory_limit).result()


def _measured(work: Callable[[Path, str], None], folder: Path, memory_limit: str) -> Measured:
    clock, processor = time.perf_counter(), time.process_time()
    work(folder, memory_limit)
    return Measured(
        time.perf_counter() - clock,
        time.process_time() - processor,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )


if __name__ == "__main__":
    main()
