"""Daily dumps into DuckDB: WAREHOUSE FIRST LAST ANEW. Those before FIRST are there already.

With ANEW `anew`, all up to LAST come in one go, into a new file. Each day brings page views, users,
and all migrations so far; once the users come as a full resync, once an old day is delivered again.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from benchmarks.made_up import column_names, made_rows
from benchmarks.timed import report
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.current import refresh_table
from csq_assets.warehouse.identity import refresh_identity
from csq_assets.warehouse.rows import DumpContent

ROWS = {"pageviews": 20_000, "users": 1_000, "user_migrations": 200}
FULL_RESYNC_DAY, OLD_DAY, DELIVERED_AGAIN_DAY = 180, 100, 300

warehouse, first, last = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])


def dump(table: str, day: int, content: str = "first") -> DumpContent:
    """What the day brought. As `again`, another day's rows in its place."""
    rows, seed = ROWS[table], day if content == "first" else 1_000
    start, stop = (0, rows * day) if table == "user_migrations" else (0, rows)
    own = {"_dump_id": pl.lit(day, pl.Int64), "_source_row": pl.int_range(stop, dtype=pl.Int64)}
    if table == "user_migrations":  # its ids are no key, so they are texts in the lake
        own |= {name: pl.col(name).cast(pl.String) for name in ("from_user_id", "to_user_id")}

    def scan() -> pl.LazyFrame:
        made = made_rows(table, start, stop, 1 if table == "user_migrations" else seed)
        return made.lazy().with_columns(**own)

    return DumpContent(day, column_names(table), content, scan)


def in_force(table: str, day: int) -> Iterator[DumpContent]:
    start = FULL_RESYNC_DAY if table == "users" and day >= FULL_RESYNC_DAY else 1
    for one in range(start, day + 1):
        again = table == "pageviews" and one == OLD_DAY and day >= DELIVERED_AGAIN_DAY
        yield dump(table, one, "again" if again else "first")


def days() -> int:
    rows = 0
    for day in [last] if "anew" in sys.argv else range(first, last + 1):
        with open_warehouse(warehouse, memory_limit="1GB") as connection:
            refresh_identity(connection, dump("user_migrations", day))
            audits = [
                refresh_table(connection, table, [*in_force(table, day)])
                for table in ("users", "pageviews")
            ]
            rows = sum(audit.rows_kept for audit in audits)
    return rows


report(days)
