"""Rows of Avro files -> a frame of ids and texts. Two paths, one result.

Native for what Contentsquare is known to send; complete for all else, and for the last word on
rows that the native reader does not take: it tells which row of which file is damaged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import polars as pl

from csq_assets.dataconnect import values
from csq_assets.dataconnect.avro_schema import RecordSchema
from csq_assets.dataconnect.avro_types import CorruptValueError, Cursor, refuse_absurd_count
from csq_assets.dataconnect.container import Block
from csq_assets.dataconnect.native_reader import NativeReader
from csq_assets.dataconnect.tables import ID_COLUMNS
from csq_assets.errors import FileError, IdentifierError

_native = NativeReader()  # one, since what it loads serves all tables

REMEDY = "Contentsquare must deliver the dump again, or the file be repaired in place."


@dataclass(frozen=True, slots=True)
class Run:
    """Rows of a batch that come from one file, one behind the other."""

    file: str
    first_row: int  # number in the file, from 0
    rows: int


@dataclass(slots=True, eq=False)
class Batch:
    """Blocks, of one file or of several with like schemas, that are decoded together."""

    schema: RecordSchema
    blocks: list[tuple[str, Block]] = field(default_factory=list)  # with the file of each
    rows: int = 0
    plain_size: int = 0  # about, in bytes

    def add(self, file: str, block: Block) -> None:
        self.blocks.append((file, block))
        self.rows += block.rows
        self.plain_size += block.plain_size

    def runs(self) -> list[Run]:
        """Where its rows come from, in order; files without rows are left out."""
        runs: list[Run] = []
        for file, block in self.blocks:
            if runs and runs[-1].file == file:
                last = runs.pop()
                runs.append(Run(file, last.first_row, last.rows + block.rows))
            elif block.rows:
                runs.append(Run(file, block.first_row, block.rows))
        return runs


def decode(batch: Batch) -> pl.DataFrame:
    """The rows of a batch, with its files' columns in their order: ids Int64, the others String.

    Raises FileError where a block is damaged, IdentifierError where an id is none; both name the
    file, and the row where it is known.
    Source: contract.md, "Raw tables"; export-format.md, edge cases 24 to 34.
    """
    plains = unpack(batch)
    frame = decode_native(batch, plains)
    return decode_complete(batch, plains) if frame is None else frame


def unpack(batch: Batch) -> list[memoryview]:
    """The plain bytes of each block. Raises FileError where one is damaged."""
    plains: list[memoryview] = []
    for file, block in batch.blocks:
        try:
            plain = block.unpack()
            refuse_absurd_count(block.rows, batch.schema.least_bytes, len(plain))
        except FileError as error:
            error.remedy = error.remedy or REMEDY
            raise error.at(file=file) from None
        except CorruptValueError as error:
            raise _damaged(error, file, block.first_row) from None
        plains.append(plain)
    return plains


def decode_native(batch: Batch, plains: Sequence[memoryview]) -> pl.DataFrame | None:
    """By native code; None where it cannot, or does not find exactly the rows that it should."""
    if batch.schema.native is None:
        return None
    row_counts = [block.rows for _, block in batch.blocks]
    frame = _native.read(batch.schema.native, row_counts, plains)
    if frame is None:
        return None
    frame.columns = list(batch.schema.columns)
    return pl.DataFrame([_conformed(batch, column) for column in frame.get_columns()])


def decode_complete(batch: Batch, plains: Sequence[memoryview]) -> pl.DataFrame:
    """Value by value, in Python. Raises FileError or IdentifierError, naming file and row."""
    fields = batch.schema.fields
    columns: list[list[Any]] = [[] for _ in fields]
    steps = [
        (field.read, _converter(field.name), column.append)
        for field, column in zip(fields, columns, strict=True)
    ]
    for (file, block), plain in zip(batch.blocks, plains, strict=True):
        cursor = Cursor(bytes(plain))
        for row in range(block.first_row, block.first_row + block.rows):
            try:
                for read, convert, put in steps:
                    put(convert(read(cursor)))
            except values.NotAnIdError as error:
                raise _no_id(error, file, row) from None
            except (ValueError, IndexError, RecursionError) as error:
                raise _damaged(error, file, row) from None
        if cursor.left:
            raise FileError(
                f"damaged: {cursor.left} bytes are left behind the last row of a block, "
                f"which begins with row {block.first_row}",
                where={"file": file},
                remedy=REMEDY,
            )
    return pl.DataFrame(
        [
            pl.Series(field.name, column, dtype=column_type(field.name))
            for field, column in zip(fields, columns, strict=True)
        ]
    )


def column_type(name: str) -> pl.DataType:
    """The type of a delivered column in a raw table."""
    return pl.Int64() if name in ID_COLUMNS else pl.String()


def _converter(column: str) -> Callable[[Any], Any]:
    return partial(values.id_of, column=column) if column in ID_COLUMNS else values.text_of


def _conformed(batch: Batch, column: pl.Series) -> pl.Series:
    if column.name not in ID_COLUMNS:
        return values.texts_of(column)
    try:
        return values.ids_of(column)
    except values.NotAnIdError as error:
        raise _no_id(error, *_locate(batch, error.index)) from None


def _locate(batch: Batch, index: int) -> tuple[str, int]:
    """The file of the batch's row `index`, and its number there."""
    runs = iter(batch.runs())
    run = next(runs)
    while index >= run.rows:
        index -= run.rows
        run = next(runs)
    return run.file, run.first_row + index


def _no_id(error: values.NotAnIdError, file: str, row: int) -> IdentifierError:
    return IdentifierError(
        f"no 64-bit integer: {error}",
        where={"file": file, "row": row, "column": error.column},
        remedy=REMEDY,
    )


def _damaged(error: Exception, file: str, row: int) -> FileError:
    what = str(error)
    if isinstance(error, IndexError):
        what = "a value is cut"
    elif isinstance(error, RecursionError):
        what = "its values are nested too deeply"
    return FileError(f"damaged: {what}", where={"file": file, "row": row}, remedy=REMEDY)
