"""Frames on their way into DuckDB: through Arrow, batch by batch, never whole in memory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import duckdb
import polars as pl
from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import DUMP_ID
from csq_assets.errors import StorageError
from csq_assets.warehouse.engine import count

# Polars keeps some of its batches ready, so they are small; DuckDB gets several at a time.
_BATCH_VALUES, _BATCH_ROWS, _BATCHES_AT_A_TIME = 1_000_000, 50_000, 8


class _ArrowStream:
    """A frame as DuckDB takes it without pyarrow; DuckDB asks several times, and reads once."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return self.frame.__arrow_c_stream__(requested_schema)


@contextmanager
def registered(connection: DuckDBPyConnection, name: str, frame: pl.DataFrame) -> Iterator[None]:
    """The frame as the relation `name`, to be read once. Inside a transaction, which clears it too
    where something fails.
    """
    stream = _ArrowStream(frame)
    connection.register(name, stream)
    # DuckDB takes a stream for one row, and would make it the side of a join that is held in memory.
    connection.execute("SET disabled_optimizers = 'build_side_probe_side'")
    yield
    connection.execute("RESET disabled_optimizers")
    connection.unregister(name)
    # DuckDB keeps what was registered until the transaction ends, but need not keep the rows.
    stream.frame = frame.clear()


def count_batches(
    connection: DuckDBPyConnection,
    frame: pl.LazyFrame,
    names: Mapping[str, str],
    statement: str,
) -> int:
    """Execute the statement for each batch of the frame; gives the sum of what it counts.

    The statement reads `delivered`: the columns in `names`, under their new names, and `ordinal`,
    each row's place in the whole. Not one stream, as DuckDB would read it far ahead of what it writes.
    """
    total = 0
    for batch in _batches(frame, names):
        with registered(connection, "delivered", batch):
            total += count(connection, statement)
    return total


@contextmanager
def reading(dump_id: int | None) -> Iterator[None]:
    """Raises StorageError where the dump's partition cannot be read."""
    try:
        yield
    except (duckdb.InvalidInputException, pl.exceptions.PolarsError, OSError) as error:
        raise StorageError(
            f"cannot read the partition in the lake: {str(error).splitlines()[0]}",
            where={} if dump_id is None else {"dump": dump_id},
            remedy="Try again; if it stays so, materialize that partition again.",
        ) from error


def _batches(frame: pl.LazyFrame, names: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    # One of our own comes along, as a frame without columns would have no rows either.
    taken = {**names, DUMP_ID: DUMP_ID}
    delivered = frame.collect_schema().names()
    # By place, as Polars would read a name such as `^a$` as a pattern. Renamed only when it is there:
    # Polars does not wait for us where it has to do more than leave columns out.
    chosen = frame.select(pl.nth(at) for at, name in enumerate(delivered) if name in taken)
    columns = [*(taken[name] for name in delivered if name in taken), "ordinal"]
    rows = max(1, min(_BATCH_ROWS, _BATCH_VALUES // len(columns)))
    read = iter(chosen.collect_batches(chunk_size=rows, maintain_order=True, lazy=True))
    start = 0
    while some := list(islice(read, _BATCHES_AT_A_TIME)):
        batch = pl.concat(some, rechunk=False)
        places = pl.int_range(start, start + batch.height, dtype=pl.Int64, eager=True)
        yield pl.DataFrame([*batch.get_columns(), places], schema=columns)
        start += batch.height
