"""Rows of Avro files as a frame of ids and texts. Two reading paths, one result.

The native path reads flat rows of primitives. The complete path reads everything else, and decides
about rows that the native path rejects: it says which row of which file is damaged.
"""

from collections.abc import Collection, Sequence

import polars as pl

from csq_assets.avro.batch import Batch
from csq_assets.avro.complete import damaged, not_an_id, read_complete
from csq_assets.avro.native import read_native
from csq_assets.avro.type_readers import CorruptValueError, refuse_absurd_count
from csq_assets.avro.values import NotAnIdError, ids_of, texts_of
from csq_assets.errors import FileError


def decode(batch: Batch, ids: Collection[str]) -> pl.DataFrame:
    """The rows of a batch, columns in file order: those named in `ids` Int64, the others String.

    Raises FileError where a block is damaged, IdentifierError where a value in an id column is not
    a 64-bit integer; both name the file, and the row where it is known.
    Source: contract.md, "Raw tables"; export-format.md, edge cases 24 to 34.
    """
    plains = unpack(batch)
    frame = decode_native(batch, plains, ids)
    return read_complete(batch, plains, ids) if frame is None else frame


def unpack(batch: Batch) -> list[memoryview]:
    """The plain bytes of each block. Raises FileError where a block is damaged."""
    plains: list[memoryview] = []
    for file, block in batch.blocks:
        try:
            plain = block.unpack()
            refuse_absurd_count(block.rows, batch.schema.least_bytes, len(plain))
        except FileError as error:
            raise error.at(file=file) from None
        except CorruptValueError as error:
            raise damaged(error, file, block.first_row) from None
        plains.append(plain)
    return plains


def decode_native(
    batch: Batch, plains: Sequence[memoryview], ids: Collection[str]
) -> pl.DataFrame | None:
    """By the native path; None where it cannot read the rows, or does not find exactly these."""
    if batch.schema.native is None:
        return None
    frame = read_native(batch.schema.native, batch.rows, plains)
    if frame is None:
        return None
    frame.columns = list(batch.schema.columns)
    return pl.DataFrame([_conformed(batch, column, ids) for column in frame.get_columns()])


def _conformed(batch: Batch, column: pl.Series, ids: Collection[str]) -> pl.Series:
    if column.name not in ids:
        return texts_of(column)
    try:
        return ids_of(column)
    except NotAnIdError as error:
        raise not_an_id(error, *batch.locate(error.index)) from None
