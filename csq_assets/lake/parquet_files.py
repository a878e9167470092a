"""Writes Parquet as the lake has it, and reads it again."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from polars.exceptions import ComputeError, PanicException, PolarsError

from csq_assets.errors import StorageError
from csq_assets.masking import masked
from csq_assets.panics import unprinted_panics

# A row group is held in memory while it is written: so many values, however wide the table. But each
# column of each takes 2 kB until the file is closed: so many rows, however wide the table.
_ROW_GROUP_VALUES, _ROW_GROUP_ROWS, _ROW_GROUP_LEAST_ROWS = 4_000_000, 122_880, 256
_COMPRESSION_LEVEL = 1
_REMEDY = "If the file is damaged, delete it and run csq sync."


def sink(rows: pl.LazyFrame, staged: Path, footer: Callable[[], Mapping[str, str]] = dict) -> None:
    """Stream the rows into the file, which keeps what `footer` gives once the last row is written.

    Raises StorageError where the disk is full.
    """
    with _writing(staged):
        rows.sink_parquet(
            staged,
            compression="zstd",
            compression_level=_COMPRESSION_LEVEL,
            row_group_size=_row_group_rows(len(rows.collect_schema())),
            metadata=lambda _context: dict(footer()),
        )


@contextmanager
def reading(location: str, remedy: str = _REMEDY) -> Iterator[None]:
    """For whatever Polars reads of a file. Raises StorageError where the file is lost or damaged, or
    where its place does not answer."""
    try:
        with unprinted_panics:
            yield
    except (OSError, PolarsError, PanicException) as error:
        said = masked(str(error)).strip().partition("\n")[0]
        raise StorageError(
            f"{location} cannot be read: {said or type(error).__name__}",
            remedy=remedy,
        ) from None  # Polars may name an endpoint with its password


@contextmanager
def _writing(staged: Path) -> Iterator[None]:
    try:
        yield
    except ComputeError as error:
        if "IO error" not in str(error):
            raise
        raise StorageError(
            f"{staged} cannot be written: {error}", remedy="Make room, then run csq sync again."
        ) from error


def _row_group_rows(columns: int) -> int:
    return max(_ROW_GROUP_LEAST_ROWS, min(_ROW_GROUP_ROWS, _ROW_GROUP_VALUES // max(1, columns)))
