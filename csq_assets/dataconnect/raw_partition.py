"""The rows of one table of one dump, as frames.

Files are read front to back, some blocks at a time: neither a file nor a partition is ever whole in
memory. Source: contract.md, "Raw tables".
"""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import TypeAlias

import polars as pl

from csq_assets.avro.batch import Batch, Decoded, ReplacedText, Run
from csq_assets.avro.decode import decode
from csq_assets.avro.file import AvroFile
from csq_assets.avro.schema import RecordSchema
from csq_assets.dataconnect import tables
from csq_assets.dataconnect.manifest import TableDump
from csq_assets.dataconnect.raw_schema import DecodeTotals, FileColumn, RawSchema, ReplacedTexts
from csq_assets.errors import CsqError
from csq_assets.prefetch import map_in_order

BATCH_BYTES = 4 * 1024 * 1024  # plain
BATCH_CELLS = 1_000_000  # a null takes one byte in Avro, and sixteen in a frame
LARGE_CELLS = 4 * BATCH_CELLS  # of one frame, at most

_Piece: TypeAlias = tuple[pl.DataFrame, tuple[ReplacedText, ...]]


class UnknownColumnsError(Exception):
    """A file brings columns that the partition's schema lacks: its writing must begin again.

    `write_partition` sees to that. It is no CsqError, for nothing is wrong.
    """


class RawPartition:
    """The rows of one table of one dump: `schema` at once, then `frames()`, once.

    Columns are the manifest's in its order, then those that only files have, first seen first, then
    `_dump_id`, `_source_file` and `_source_row`. Rows are in manifest order: file, then row.
    `totals` and `raw_schema` are whole when `frames()` has come to its end.
    """

    def __init__(
        self, dump: TableDump, columns: Iterable[str], files: Iterator[AvroFile], workers: int
    ) -> None:
        self.dump = dump
        self._columns = tuple(columns)
        self._files = files
        self._workers = workers
        self._made: Generator[Iterable[_Piece]] | None = None
        self._admitted: set[RecordSchema] = set()
        self._types: dict[str, set[str]] = {}
        self._file_count = self._rows = self._bytes_read = 0
        self._replaced: dict[str, ReplacedText] = {}
        self._key_nulls = dict.fromkeys(tables.key_columns(dump.table, dump.columns), 0)

    @property
    def schema(self) -> pl.Schema:
        """The columns of every frame, with their types."""
        delivered = {name: _column_type(name) for name in self._columns}
        own = {tables.DUMP_ID: pl.Int64(), tables.SOURCE_FILE: pl.String()}
        return pl.Schema({**delivered, **own, tables.SOURCE_ROW: pl.Int64()})

    @property
    def totals(self) -> DecodeTotals:
        return DecodeTotals(
            files=self._file_count,
            rows=self._rows,
            bytes_read=self._bytes_read,
            key_nulls={**self._key_nulls},
            replaced=self._replaced_texts(),
        )

    def _replaced_texts(self) -> ReplacedTexts | None:
        files = list(self._replaced.values())
        if not files:
            return None
        sequences = sum(file.sequences for file in files)
        return ReplacedTexts(sequences, len(files), files[0].file, files[0].row)

    @property
    def raw_schema(self) -> RawSchema:
        columns = tuple(FileColumn(name, tuple(sorted(seen))) for name, seen in self._types.items())
        return RawSchema(self.dump.columns, columns if self.dump.files else None)

    def frames(self) -> Iterator[pl.DataFrame]:
        """The rows, some thousands at a time; no frame where there are no rows.

        Raises FileError or IdentifierError for the first thing in manifest order that is wrong with
        a file, naming it, and the row where that is known; UnknownColumnsError, see
        `write_partition`.
        """
        self._made = map_in_order(self._decode, self._batches(), workers=self._workers)
        for frame, replaced in chain.from_iterable(self._made):
            self._rows += frame.height
            for column in self._key_nulls:
                self._key_nulls[column] += frame.get_column(column).null_count()
            for text in replaced:
                first = self._replaced.get(text.file, replace(text, sequences=0))
                sequences = first.sequences + text.sequences
                self._replaced[text.file] = replace(first, sequences=sequences)
            yield frame

    def close(self) -> None:
        """End the threads of a decoding that was not taken to its end."""
        if self._made is not None:
            self._made.close()

    def _batches(self) -> Iterator[Batch]:
        batch: Batch | None = None
        width = len(self._columns)
        try:
            for file in self._files:
                self._admit(file.schema)
                if batch is not None and not batch.schema.reads_like(file.schema):
                    yield batch
                    batch = None
                for block in file.blocks():
                    batch = batch or Batch(file.schema)
                    batch.add(file.path, block)
                    if batch.plain_size >= BATCH_BYTES or batch.rows * width >= BATCH_CELLS:
                        yield batch
                        batch = None
                self._bytes_read += file.bytes_read
        except CsqError:
            if batch is not None:  # what is wrong in it comes first in manifest order
                yield batch
            raise
        if batch is not None:
            yield batch

    def _admit(self, schema: RecordSchema) -> None:
        self._file_count += 1
        if schema in self._admitted:  # a table's files mostly share one
            return
        if not set(schema.columns) <= set(self._columns):
            raise UnknownColumnsError
        self._admitted.add(schema)
        for field in schema.fields:
            self._types.setdefault(field.name, set()).add(field.type_name)

    def _decode(self, batch: Batch) -> Iterable[_Piece]:
        """A batch in the partition's columns; an iterator where it is large."""
        decoded = decode(batch, tables.ID_COLUMNS)
        pieces = (piece for part in decoded for piece in self._conform(part))
        small = isinstance(decoded, list) and batch.rows * len(self._columns) <= LARGE_CELLS
        return list(pieces) if small else pieces

    def _conform(self, part: Decoded) -> Iterator[_Piece]:
        """Decoded rows in the partition's columns, some at a time where there are many columns."""
        origin = _origin(part.runs)
        step = max(1, LARGE_CELLS // len(self._columns)) if self._columns else part.rows
        replaced = part.replaced
        for start in range(0, part.rows, step):
            rows = min(step, part.rows - start)
            decoded = {column.name: column.slice(start, rows) for column in part.frame}
            columns = [
                decoded[name]
                if name in decoded
                else _repeated(name, None, rows, _column_type(name))
                for name in self._columns
            ]
            columns.append(_repeated(tables.DUMP_ID, self.dump.dump_id, rows, pl.Int64()))
            columns += [column.slice(start, rows) for column in origin]
            yield pl.DataFrame(columns), replaced
            replaced = ()


def _origin(runs: Iterable[Run]) -> tuple[pl.Series, pl.Series]:
    """`_source_file` and `_source_row` of some rows."""
    files = [pl.Series(tables.SOURCE_FILE, [], pl.String)]
    rows = [pl.Series(tables.SOURCE_ROW, [], pl.Int64)]
    for run in runs:
        end = run.first_row + run.rows
        files.append(_repeated(tables.SOURCE_FILE, run.file, run.rows, pl.String()))
        rows.append(pl.int_range(run.first_row, end, dtype=pl.Int64, eager=True))
    row = pl.concat(rows, rechunk=True).rename(tables.SOURCE_ROW)
    return pl.concat(files, rechunk=True), row


def _repeated(name: str, value: str | int | None, rows: int, dtype: pl.DataType) -> pl.Series:
    return pl.Series(name, [value], dtype=dtype).new_from_index(0, rows)


def _column_type(name: str) -> pl.DataType:
    return pl.Int64() if name in tables.ID_COLUMNS else pl.String()
