"""The complete path: every Avro type, value by value, in Python."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

import polars as pl

from csq_assets.avro.batch import Batch, Decoded, Run, joined, sum_up_replaced
from csq_assets.avro.codecs import Plain
from csq_assets.avro.schema import RecordSchema
from csq_assets.avro.type_readers import Cursor, read_null
from csq_assets.avro.values import NotAnIdError, id_of, text_of
from csq_assets.errors import FileError, IdentifierError

_PART_CELLS, _PART_BYTES = 1_000_000, 4 * 1024 * 1024


def read_complete(batch: Batch, plains: Sequence[Plain], ids: Collection[str]) -> Iterator[Decoded]:
    """The rows in `plains`, the batch's unpacked blocks, in parts of bounded size.

    Columns named in `ids` are Int64. Raises FileError or IdentifierError, naming file and row.
    """
    part = _Part(batch.schema, ids)
    for (file, block), plain in zip(batch.blocks, plains, strict=True):
        cursor = Cursor(plain.data, replaces_text=plain.checked)
        row, end = block.first_row, block.first_row + block.rows
        while row < end:
            row = part.read_rows(cursor, file, row, end)
            if part.is_full:
                yield part.decoded()
                part = _Part(batch.schema, ids)
        if cursor.left:
            raise FileError(
                f"damaged: {cursor.left} bytes follow the last row of the block that begins with "
                f"row {block.first_row}",
                where={"file": file},
            )
    yield part.decoded()


class _Part:
    """Rows that become one frame."""

    def __init__(self, schema: RecordSchema, ids: Collection[str]) -> None:
        self._types = {
            field.name: pl.Int64() if field.name in ids else pl.String() for field in schema.fields
        }
        # Columns of nulls take no bytes: there may be thousands of them.
        stored = [field for field in schema.fields if field.read is not read_null]
        self._columns: dict[str, list[Any]] = {field.name: [] for field in stored}
        self._steps = [
            (field.read, _converter(field.name, ids), self._columns[field.name].append)
            for field in stored
        ]
        self._runs: list[Run] = []
        self._replaced: list[tuple[int, int]] = []
        self._rows = self._bytes = 0

    def read_rows(self, cursor: Cursor, file: str, row: int, end: int) -> int:
        """Read the rows from `row` on, before `end`, as far as there is room. The next row's number."""
        first, start = row, cursor.at
        end = min(end, row + self._room())
        try:
            while row < end and cursor.at - start < _PART_BYTES - self._bytes:
                for read, convert, put in self._steps:
                    put(convert(read(cursor)))
                if cursor.replaced:
                    self._replaced.append((self._rows + row - first, cursor.replaced))
                    cursor.replaced = 0
                row += 1
        except NotAnIdError as error:
            raise not_an_id(error, file, row) from None
        except (ValueError, IndexError, RecursionError) as error:
            raise damaged(error, file, row, self._unread_column(row - first)) from None
        self._runs.append(Run(file, first, row - first))
        self._rows += row - first
        self._bytes += cursor.at - start
        return row

    def _unread_column(self, rows: int) -> str:
        """The column whose value in the row after so many new ones could not be read."""
        have = self._rows + rows
        return next(name for name, column in self._columns.items() if len(column) == have)

    @property
    def is_full(self) -> bool:
        return self._room() == 0 or self._bytes >= _PART_BYTES

    def _room(self) -> int:
        """How many more rows go in, unless they are long."""
        return max(1, _PART_CELLS // max(1, len(self._types))) - self._rows

    def decoded(self) -> Decoded:
        columns = [
            pl.Series(name, self._columns[name], dtype=dtype)
            if name in self._columns
            else pl.Series(name, [None], dtype=dtype).new_from_index(0, self._rows)
            for name, dtype in self._types.items()
        ]
        runs = joined(self._runs)
        return Decoded(pl.DataFrame(columns), runs, sum_up_replaced(runs, self._replaced))


def not_an_id(error: NotAnIdError, file: str, row: int) -> IdentifierError:
    where = {"file": file, "row": row, "column": error.column}
    return IdentifierError(f"not a 64-bit integer: {error}", where=where)


def damaged(error: Exception, file: str, row: int, column: str | None = None) -> FileError:
    what = str(error)
    if isinstance(error, IndexError):
        what = "a value is cut"
    elif isinstance(error, UnicodeDecodeError):
        what = f"a text is not UTF-8: {error.reason} at its byte {error.start}"
    elif isinstance(error, RecursionError):
        what = "its values are nested too deeply"
    where: dict[str, str | int] = {"file": file, "row": row}
    return FileError(
        f"damaged: {what}", where=where if column is None else where | {"column": column}
    )


def _converter(column: str, ids: Collection[str]) -> Callable[[Any], Any]:
    return partial(id_of, column=column) if column in ids else text_of
