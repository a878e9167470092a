"""Page views of a history in DuckDB: FOLDER ROWS WORK, one of load, increment, rebuild, table, events.

`load` fills a warehouse with the history; `increment` brings it up to date; `rebuild` does without a
warehouse; `table` and `events` ask the same of `csq.pageviews` and of `csq.all_events`.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from benchmarks.events import History
from benchmarks.timed import report
from csq_assets.dataconnect.audits import TableAudit
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.identity_refresh import refresh_identity
from csq_assets.warehouse.partition_files import DumpContent
from csq_assets.warehouse.table_refresh import refresh_table

MEMORY_LIMIT = "2GB"
# What one would write without a warehouse of our own, and without resolving users.
REBUILD = """
CREATE TABLE pageviews AS
SELECT * FROM read_parquet(?)
QUALIFY row_number() OVER (
    PARTITION BY user_id, event_id ORDER BY _dump_id DESC, _source_row DESC
) = 1
"""

folder, rows, work = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
history = History(folder, rows)
warehouse = folder / "warehouse.duckdb"


def load() -> int:
    with open_warehouse(warehouse, memory_limit=MEMORY_LIMIT) as connection:
        return _refresh(connection, [history.dump("history", 1)]).rows_kept


def increment() -> int:
    dumps = [history.dump("history", 1), history.dump("increment", 2)]
    with open_warehouse(warehouse, memory_limit=MEMORY_LIMIT) as connection:
        refresh_identity(connection, history.dump("migrations", 2))
        audit = _refresh(connection, dumps)
    assert audit.unaccounted == 0
    assert audit.duplicated_keys == 0
    assert audit.rows_updated >= audit.rows_in // 10, "rows that were replaced are still shown"
    return audit.rows_kept


def rebuild() -> int:
    (folder / "rebuilt.duckdb").unlink(missing_ok=True)
    with duckdb.connect(str(folder / "rebuilt.duckdb")) as connection:
        connection.execute("SET memory_limit = '8GB'; SET enable_progress_bar = false")
        files = [str(history.file(name)) for name in ("history", "increment")]
        connection.execute(REBUILD, [files])
        return connection.table("pageviews").count("*").fetchall()[0][0]


def table() -> int:
    return _ask("'pageviews'", "csq.pageviews")


def events() -> int:
    return _ask("event_table_name", "csq.all_events")


def _refresh(connection: DuckDBPyConnection, dumps: list[DumpContent]) -> TableAudit:
    return refresh_table(connection, "pageviews", dumps, dump_rows=[], now=datetime.now(UTC))


def _ask(name: str, relation: str) -> int:
    with open_warehouse(warehouse, read_only=True) as connection:
        asked = f"SELECT {name}, count(*), count(DISTINCT user_id) FROM {relation} GROUP BY ALL"  # noqa: S608
        return sum(found[1] for found in connection.execute(asked).fetchall())


report({run.__name__: run for run in (load, increment, rebuild, table, events)}[work])
