"""`all_events` in Iceberg: the events of every event table, partitioned by its name."""

from functools import reduce
from typing import Any

from csq_assets.dataconnect.tables import ALL_EVENTS, TableKind
from csq_assets.spark.dialect import pyspark, quote
from csq_assets.spark.iceberg import IcebergTable
from csq_assets.spark.messages import Answer, Place, RefreshEvents
from csq_assets.spark.table_job import CurrentTable

_COLUMNS = ("user_id", "event_id", "session_id", "time")
_SCHEMA = (
    "user_id bigint, event_id bigint, session_id bigint, time string, event_table_name string, "
    "_dump_id bigint"
)


def refresh_events(spark: Any, place: Place, work: RefreshEvents) -> Answer:
    """Replace the parts of the event tables that have another commit than when they were last taken,
    by one commit."""
    col = pyspark("sql.functions").col
    target = IcebergTable(spark, place, "", ALL_EVENTS)
    head = target.head()
    known: dict[str, str] = head.state if head else {}
    tables = {name: CurrentTable(spark, place, name) for name in work.tables}
    events = {
        name: table
        for name, table in tables.items()
        if table.commit and table.commit.table.kind is TableKind.EVENTS
    }
    wanted = {name: table.commit.version for name, table in events.items() if table.commit}
    changed = sorted(name for name in {*known, *wanted} if known.get(name) != wanted.get(name))
    if changed or head is None:
        parts = _parts(spark, {name: events[name] for name in changed if name in events})
        if head is None:
            target.replace(parts, wanted, buckets=None, by="event_table_name")
        else:
            part = col("event_table_name").isin(changed)
            target.overwrite(parts, part, wanted, since=head.snapshot)
    return Answer("events", rows=target.frame().count(), columns=target.columns())


def _parts(spark: Any, tables: dict[str, CurrentTable]) -> Any:
    empty = spark.createDataFrame([], _SCHEMA)
    parts = [_part(name, table) for name, table in tables.items()]
    return reduce(lambda one, other: one.unionByName(other), [empty, *parts])


def _part(name: str, table: CurrentTable) -> Any:
    functions = pyspark("sql.functions")
    col, lit = functions.col, functions.lit
    shown = table.commit.table.columns if table.commit else {}
    types = {"time": "string"}
    columns = [
        (col(quote(shown[column])) if column in shown else lit(None))
        .cast(types.get(column, "bigint"))
        .alias(column)
        for column in _COLUMNS
    ]
    frame = table.main.frame(table.snapshot)
    return frame.select(*columns, lit(name).alias("event_table_name"), col("_dump_id"))
