"""Frames on their way into DuckDB: streamed through Arrow, never whole in memory."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import duckdb
import polars as pl
from duckdb import DuckDBPyConnection

from csq_assets.dataconnect.tables import DUMP_ID
from csq_assets.errors import StorageError

_BATCH_ROWS = 40_000


class _ArrowStream:
    """A lazy frame as DuckDB takes it without pyarrow. DuckDB asks several times, and reads once."""

    def __init__(self, frame: pl.LazyFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        batches = self._frame.collect_batches(
            chunk_size=_BATCH_ROWS, maintain_order=True, lazy=True
        )
        return batches.__arrow_c_stream__(requested_schema)  # type: ignore[attr-defined]


@contextmanager
def registered(connection: DuckDBPyConnection, name: str, frame: pl.LazyFrame) -> Iterator[None]:
    """The frame as the relation `name`, to be read once. Inside a transaction, which clears it too
    where something fails.
    """
    connection.register(name, _ArrowStream(frame))
    yield
    connection.unregister(name)


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


def renamed(frame: pl.LazyFrame, names: Mapping[str, str]) -> pl.LazyFrame:
    """The columns in `names`, under their new names, and `ordinal`: each row's place, from 0.

    Columns are taken by their place, as Polars would read a name such as `^a$` as a pattern. One of
    our own comes along, as a frame without columns would have no rows either.
    """
    taken = {**names, DUMP_ID: DUMP_ID}
    columns = [
        pl.nth(place).alias(taken[name])
        for place, name in enumerate(frame.collect_schema().names())
        if name in taken
    ]
    numbered = frame.select(columns).with_row_index("ordinal")
    return numbered.with_columns(pl.col("ordinal").cast(pl.Int64))
