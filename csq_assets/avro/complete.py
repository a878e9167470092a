"""The complete path: every Avro type, value by value, in Python."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

import polars as pl

from csq_assets.avro.batch import Batch
from csq_assets.avro.type_readers import Cursor
from csq_assets.avro.values import NotAnIdError, id_of, text_of
from csq_assets.errors import FileError, IdentifierError


def read_complete(batch: Batch, plains: Sequence[memoryview], ids: Collection[str]) -> pl.DataFrame:
    """The rows in `plains`, the plain bytes of the batch's blocks; columns named in `ids` are Int64.

    Raises FileError or IdentifierError, naming file and row.
    """
    fields = batch.schema.fields
    columns: list[list[Any]] = [[] for _ in fields]
    steps = [
        (field.read, _converter(field.name, ids), column.append)
        for field, column in zip(fields, columns, strict=True)
    ]
    for (file, block), plain in zip(batch.blocks, plains, strict=True):
        cursor = Cursor(bytes(plain))
        for row in range(block.first_row, block.first_row + block.rows):
            try:
                for read, convert, put in steps:
                    put(convert(read(cursor)))
            except NotAnIdError as error:
                raise not_an_id(error, file, row) from None
            except (ValueError, IndexError, RecursionError) as error:
                raise damaged(error, file, row) from None
        if cursor.left:
            raise FileError(
                f"damaged: {cursor.left} bytes follow the last row of the block that begins with "
                f"row {block.first_row}",
                where={"file": file},
            )
    return pl.DataFrame(
        [
            pl.Series(field.name, column, dtype=pl.Int64() if field.name in ids else pl.String())
            for field, column in zip(fields, columns, strict=True)
        ]
    )


def not_an_id(error: NotAnIdError, file: str, row: int) -> IdentifierError:
    where = {"file": file, "row": row, "column": error.column}
    return IdentifierError(f"not a 64-bit integer: {error}", where=where)


def damaged(error: Exception, file: str, row: int) -> FileError:
    what = str(error)
    if isinstance(error, IndexError):
        what = "a value is cut"
    elif isinstance(error, RecursionError):
        what = "its values are nested too deeply"
    return FileError(f"damaged: {what}", where={"file": file, "row": row})


def _converter(column: str, ids: Collection[str]) -> Callable[[Any], Any]:
    return partial(id_of, column=column) if column in ids else text_of
