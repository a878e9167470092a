"""The rows of one table of one dump, as frames.

Files are read front to back, some blocks at a time: neither a file nor a partition is ever whole in
memory. Source: contract.md, "Raw tables".
"""

from collections.abc import Generator, Iterable, Iterator

import polars as pl

from csq_assets.avro.batch import Batch
from csq_assets.avro.decode import decode
from csq_assets.avro.file import AvroFile
from csq_assets.avro.schema import RecordSchema
from csq_assets.dataconnect import tables
from csq_assets.dataconnect.manifest import TableDump
from csq_assets.dataconnect.raw_schema import DecodeTotals, FileColumn, RawSchema
from csq_assets.errors import CsqError
from csq_assets.prefetch import map_in_order

BATCH_BYTES = 4 * 1024 * 1024  # plain
BATCH_CELLS = 1_000_000  # a null takes one byte in Avro, and sixteen in a frame


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
        self._made: Generator[pl.DataFrame] | None = None
        self._admitted: set[RecordSchema] = set()
        self._types: dict[str, set[str]] = {}
        self._file_count = self._rows = self._bytes_read = 0
        self._key_nulls = dict.fromkeys(tables.key_columns(dump.table, dump.columns), 0)

    @property
    def schema(self) -> pl.Schema:
        """The columns of every frame, with their types."""
        delivered = {name: _column_type(name) for name in self._columns}
        own = {tables.DUMP_ID: pl.Int64(), tables.SOURCE_FILE: pl.String()}
        return pl.Schema({**delivered, **own, tables.SOURCE_ROW: pl.Int64()})

    @property
    def totals(self) -> DecodeTotals:
        return DecodeTotals(self._file_count, self._rows, self._bytes_read, {**self._key_nulls})

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
        self._made = map_in_order(self._frame, self._batches(), workers=self._workers)
        for frame in self._made:
            self._rows += frame.height
            for column in self._key_nulls:
                self._key_nulls[column] += frame.get_column(column).null_count()
            if frame.height:
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

    def _frame(self, batch: Batch) -> pl.DataFrame:
        """A batch in the partition's columns."""
        decoded = {column.name: column for column in decode(batch, tables.ID_COLUMNS).get_columns()}
        columns = [
            decoded[name]
            if name in decoded
            else _repeated(name, None, batch.rows, _column_type(name))
            for name in self._columns
        ]
        columns.append(_repeated(tables.DUMP_ID, self.dump.dump_id, batch.rows, pl.Int64()))
        return pl.DataFrame([*columns, *_origin(batch)])


def _origin(batch: Batch) -> tuple[pl.Series, pl.Series]:
    """`_source_file` and `_source_row` of a batch."""
    files: list[pl.Series] = []
    rows: list[pl.Series] = []
    for run in batch.runs():
        end = run.first_row + run.rows
        files.append(_repeated(tables.SOURCE_FILE, run.file, run.rows, pl.String()))
        rows.append(pl.int_range(run.first_row, end, dtype=pl.Int64, eager=True))
    if not files:
        return pl.Series(tables.SOURCE_FILE, [], pl.String), pl.Series(
            tables.SOURCE_ROW, [], pl.Int64
        )
    row = pl.concat(rows, rechunk=True).rename(tables.SOURCE_ROW)
    return pl.concat(files, rechunk=True), row


def _repeated(name: str, value: str | int | None, rows: int, dtype: pl.DataType) -> pl.Series:
    return pl.Series(name, [value], dtype=dtype).new_from_index(0, rows)


def _column_type(name: str) -> pl.DataType:
    return pl.Int64() if name in tables.ID_COLUMNS else pl.String()
