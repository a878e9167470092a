"""The complete path: every Avro type, value by value, in Python."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any

import polars as pl

from csq_assets.avro.batch import (
    PART_BYTES,
    Batch,
    Decoded,
    Run,
    joined,
    rows_at_once,
    sum_up_replaced,
)
from csq_assets.avro.codecs import Plain
from csq_assets.avro.schema import RecordSchema
from csq_assets.avro.type_readers import AvroType, Cursor, Reader, read_null
from csq_assets.avro.values import NotAnIdError, id_of, text_of
from csq_assets.errors import FileError, IdentifierError


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
                yield part.take()
        if cursor.left:
            raise FileError(
                f"damaged: {cursor.left} bytes follow the last row of the block that begins with "
                f"row {block.first_row}",
                where={"file": file},
            )
    yield part.take()


class _Part:
    """Rows that become one frame."""

    def __init__(self, schema: RecordSchema, ids: Collection[str]) -> None:
        # Columns of nulls take no bytes: there may be thousands of them.
        typed = zip(schema.columns, schema.types, strict=True)
        stored = {name: kind for name, kind in typed if kind.read is not read_null}
        self._columns = schema.columns
        self._ids = ids
        self._places = {name: place for place, name in enumerate(stored)}
        self._steps = [_step(kind, is_id=name in ids) for name, kind in stored.items()]
        self._clear()

    def _clear(self) -> None:
        self._values: list[Any] = []  # of the stored columns, row after row
        self._runs: list[Run] = []
        self._replaced: list[tuple[int, int]] = []
        self._rows = self._bytes = 0

    def read_rows(self, cursor: Cursor, file: str, row: int, end: int) -> int:
        """Read the rows from `row` on, before `end`, as far as there is room. The next row's number."""
        first, start, put = row, cursor.at, self._values.append
        end = min(end, row + self._room())
        try:
            while row < end and cursor.at - start < PART_BYTES - self._bytes:
                for step in self._steps:
                    put(step(cursor))
                if cursor.replaced:
                    self._replaced.append((self._rows + row - first, cursor.replaced))
                    cursor.replaced = 0
                if cursor.added:
                    self._bytes += cursor.added
                    cursor.added = 0
                row += 1
        except (ValueError, IndexError, RecursionError) as error:
            column = list(self._places)[len(self._values) % len(self._steps)]
            raise damaged(error).at(file=file, row=row, column=column) from None
        self._runs.append(Run(file, first, row - first))
        self._rows += row - first
        self._bytes += cursor.at - start
        return row

    @property
    def is_full(self) -> bool:
        return self._room() == 0 or self._bytes >= PART_BYTES

    def _room(self) -> int:
        """How many more rows go in, unless they are long."""
        return rows_at_once(len(self._columns)) - self._rows

    def take(self) -> Decoded:
        """The rows, which are in the part no more."""
        rows, values, width = self._rows, self._values, len(self._steps)
        # One series for all texts: to make one for each of thousands of columns takes longer.
        places = [place for name, place in self._places.items() if name not in self._ids]
        texts: list[str | None] = []
        for place in places:
            texts += values[place::width]
        series = pl.Series(texts, dtype=pl.String)
        columns = {place: series.slice(start * rows, rows) for start, place in enumerate(places)}
        for name in self._ids:
            if (place := self._places.get(name)) is not None:
                columns[place] = pl.Series(values[place::width], dtype=pl.Int64)
        frame = pl.DataFrame(
            [
                columns[self._places[name]] if name in self._places else self._nulls(name)
                for name in self._columns
            ],
            schema=list(self._columns),
        )
        runs = joined(self._runs)
        decoded = Decoded(frame, runs, sum_up_replaced(runs, self._replaced))
        self._clear()
        return decoded

    def _nulls(self, name: str) -> pl.Series:
        dtype = pl.Int64() if name in self._ids else pl.String()
        return pl.Series([None], dtype=dtype).new_from_index(0, self._rows)


def _step(kind: AvroType, *, is_id: bool) -> Reader:
    """Reads a value as the column has it."""
    if is_id:
        return _composed(id_of, kind.read)
    is_text = kind.native is not None and kind.native.primitive == "string"
    return kind.read if is_text else _composed(text_of, kind.read)


@lru_cache(maxsize=64)
def _composed(convert: Callable[[Any], Any], read: Reader) -> Reader:
    return lambda cursor: convert(read(cursor))


def damaged(error: Exception) -> FileError | IdentifierError:
    """What reading a value raised, in words."""
    what = str(error)
    if isinstance(error, NotAnIdError):
        return IdentifierError(f"not a 64-bit integer: {what}")
    if isinstance(error, IndexError):
        what = "a value is cut"
    elif isinstance(error, UnicodeDecodeError):
        what = f"a text is not UTF-8: {error.reason} at its byte {error.start}"
    elif isinstance(error, RecursionError):
        what = "its values are nested too deeply"
    return FileError(f"damaged: {what}")
