"""Daily dumps into DuckDB: WAREHOUSE DUMPS DAYS WORK FIRST LAST, where WORK is one of

`days`, one after the other, after those before FIRST; `later`, the same once an old day has been
delivered again; `again`, that delivery alone; `rebuild`, all up to LAST in one go, into a new file.
Where its CPU time goes, it writes beside the warehouse.
"""

import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.daily import Year
from benchmarks.parts import Parts
from benchmarks.timed import report
from csq_assets.warehouse import table_refresh
from csq_assets.warehouse.compaction import compact_if_due
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.deduplication import Deduplication
from csq_assets.warehouse.identity_refresh import refresh_identity

MEMORY_LIMIT = "1GB"

warehouse, dumps = map(Path, sys.argv[1:3])
year, work = Year(dumps, int(sys.argv[3])), sys.argv[4]
first, last = map(int, sys.argv[5:])

parts = Parts("all else")
parts.count(table_refresh, "find_moved", "finding the rows of users who become others")
parts.count(table_refresh, "append_arriving", "appending the rows of the day")
parts.count(Deduplication, "decide", "finding keys that are there already")
OPENING = "opening the file"
COMPACTING = "giving room back, where that is due"
WRITING = "closing the file: the columns that changed are written"
IDENTITY = "reading all migrations so far"


def days() -> int:
    rows = 0
    for day in range(first, last + 1) if work in ("days", "later") else [last]:
        with ExitStack() as opened:
            with parts.part(OPENING):
                file = open_warehouse(warehouse, memory_limit=MEMORY_LIMIT)
                connection = opened.enter_context(file)
            with parts.part(IDENTITY):
                refresh_identity(connection, year.migrations(day))
            audits = [
                table_refresh.refresh_table(
                    connection,
                    table,
                    [*year.in_force(table, day, again=work != "days")],
                    dump_rows=[],
                    now=datetime.now(UTC),
                )
                for table in ("users", "pageviews")
            ]
            assert all(audit.unaccounted == 0 for audit in audits)
            rows = sum(audit.rows_kept for audit in audits)
            with parts.part(WRITING):
                opened.close()
        with parts.part(COMPACTING):
            compact_if_due(warehouse, memory_limit=MEMORY_LIMIT)
    return rows


report(days)
parts.write(warehouse.with_suffix(".parts.json"))
