"""The rows of one table of one dump, as frames.

Files are read front to back, some blocks at a time: neither a file nor a partition is ever whole in
memory. Source: contract.md, "Raw tables".
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TypeAlias

import polars as pl

from csq_assets.avro.batch import MOST_CELLS, Batch, Decoded, ReplacedText, Run
from csq_assets.avro.decode import decode
from csq_assets.avro.file import AvroFile
from csq_assets.avro.schema import RecordSchema
from csq_assets.dataconnect import tables
from csq_assets.dataconnect.manifest import TableDump
from csq_assets.dataconnect.matching import match_columns
from csq_assets.dataconnect.observed import Observed
from csq_assets.dataconnect.raw_schema import DecodeTotals, RawSchema
from csq_assets.dataconnect.redaction import Redaction
from csq_assets.errors import CsqError, FileError
from csq_assets.prefetch import map_in_order

_MORE_MEMORY = "Give the process more memory, or put the table into CSQ_SKIP_TABLES."

_Piece: TypeAlias = tuple[pl.DataFrame, tuple[ReplacedText, ...]]


class UnknownColumnsError(Exception):
    """A file has columns that the partition's schema lacks: writing it must start again.

    `write_partition` does so. It is not a CsqError, for nothing is wrong.
    """


class RawPartition:
    """The rows of one table of one dump: `schema` at once, then `frames()`, once.

    Columns are the manifest's in its order, then those that only files have, first seen first, then
    `_dump_id`, `_source_file` and `_source_row`. Rows are in manifest order: file, then row. What
    `redaction` leaves out is in none of them.
    `totals` and `raw_schema` are complete when `frames()` has ended.
    """

    def __init__(
        self,
        dump: TableDump,
        columns: Iterable[str],
        files: Iterator[AvroFile],
        workers: int,
        redaction: Redaction,
    ) -> None:
        self.dump = dump
        self._redaction = redaction
        self._columns = self._kept(columns)
        self._files = files
        self._workers = workers
        self._decoded: Generator[Iterable[_Piece]] | None = None
        self._observed = Observed(dump, redaction.columns)

    @property
    def schema(self) -> pl.Schema:
        """The columns of every frame, with their types."""
        delivered = {name: _column_type(name) for name in self._columns}
        own = {tables.DUMP_ID: pl.Int64(), tables.SOURCE_FILE: pl.String()}
        return pl.Schema({**delivered, **own, tables.SOURCE_ROW: pl.Int64()})

    @property
    def totals(self) -> DecodeTotals:
        return self._observed.totals

    @property
    def raw_schema(self) -> RawSchema:
        return self._observed.raw_schema

    def frames(self) -> Iterator[pl.DataFrame]:
        """The rows, some thousands at a time; no frame where there are no rows.

        Raises FileError or IdentifierError for the first fault in manifest order, naming the file,
        and the row where it is known; UnknownColumnsError, see `write_partition`.
        """
        self._decoded = map_in_order(self._decode, self._batches(), workers=self._workers)
        for frame, replaced in chain.from_iterable(self._decoded):
            kept = self._redaction.apply(self.dump.table, frame)
            self._observed.add_rows(kept, replaced, forgotten=frame.height - kept.height)
            if not kept.is_empty():
                yield kept

    def close(self) -> None:
        """Stop the threads of a decoding that was not taken to its end."""
        if self._decoded is not None:
            self._decoded.close()

    def _batches(self) -> Iterator[Batch]:
        batch: Batch | None = None
        try:
            for file in self._files:
                self._admit(file.schema)
                if batch is not None and not batch.schema.reads_like(file.schema):
                    yield batch
                    batch = None
                with contained(file.path):
                    for block in file.blocks():
                        if batch is not None and not batch.has_room(block, len(self._columns)):
                            yield batch
                            batch = None
                        batch = batch or Batch(file.schema)
                        batch.add(file.path, block)
                self._observed.add_bytes(file.bytes_read)
        except CsqError:
            if batch is not None:  # its faults come first in manifest order
                yield batch
            raise
        if batch is not None:
            yield batch

    def _admit(self, schema: RecordSchema) -> None:
        if not self._observed.knows(schema):  # the files of a table mostly share one
            columns = match_columns(self.dump.columns, schema.columns)
            if not set(self._kept(columns)) <= set(self._columns):
                raise UnknownColumnsError
        self._observed.add_file(schema)

    def _kept(self, columns: Iterable[str]) -> tuple[str, ...]:
        drops = self._redaction.columns.drops
        return tuple(name for name in columns if not drops(self.dump.table, name))

    def _decode(self, batch: Batch) -> Iterable[_Piece]:
        """A batch in the partition's columns; an iterator where it is large."""
        matched = match_columns(self.dump.columns, batch.schema.columns)
        ids = [matched[name] for name in tables.ID_COLUMNS if name in matched]
        with contained(batch.blocks[0][0]):
            decoded = decode(batch, ids)
            pieces = self._pieces(batch, decoded)
            if isinstance(decoded, list) and batch.rows * len(self._columns) <= MOST_CELLS:
                return list(pieces)
        return pieces

    def _pieces(self, batch: Batch, decoded: Iterable[Decoded]) -> Iterator[_Piece]:
        """Decoded rows in the partition's columns, fewer at a time where there are many columns."""
        matched = match_columns(self.dump.columns, batch.schema.columns)
        step = max(1, MOST_CELLS // max(1, len(self._columns)))
        with contained(batch.blocks[0][0]):
            for part in decoded:
                origin, replaced = _origin(part.runs), part.replaced
                for start in range(0, part.rows, step):
                    own = origin.slice(start, step)
                    frame = part.frame.slice(start, step)
                    delivered = dict(zip(frame.columns, frame.get_columns(), strict=True))
                    columns = [
                        _served(delivered[matched[name]], name)
                        if name in matched
                        else _repeated(name, None, own.height, _column_type(name))
                        for name in self._columns
                    ]
                    dump = _repeated(tables.DUMP_ID, self.dump.dump_id, own.height, pl.Int64())
                    yield pl.DataFrame([*columns, dump, *own]), replaced
                    replaced = ()


@contextmanager
def contained(file: str) -> Iterator[None]:
    """What ends the reading of a file is an error of its table alone."""
    try:
        yield
    except MemoryError:
        what, remedy = "decoding it takes more memory than there is", _MORE_MEMORY
    except pl.exceptions.PanicException as error:
        what, remedy = f"Polars failed: {error}", ""
    else:
        return
    raise FileError(what, where={"file": file}, remedy=remedy)


def _origin(runs: Iterable[Run]) -> pl.DataFrame:
    """`_source_file` and `_source_row` of some rows."""
    files = [pl.Series(tables.SOURCE_FILE, [], pl.String)]
    rows = [pl.Series(tables.SOURCE_ROW, [], pl.Int64)]
    for run in runs:
        end = run.first_row + run.rows
        files.append(_repeated(tables.SOURCE_FILE, run.file, run.rows, pl.String()))
        rows.append(pl.int_range(run.first_row, end, dtype=pl.Int64, eager=True))
    row = pl.concat(rows, rechunk=True).rename(tables.SOURCE_ROW)
    return pl.DataFrame([pl.concat(files, rechunk=True), row])


def _served(column: pl.Series, name: str) -> pl.Series:
    if column.name != name:
        column = column.rename(name)
    # One that serves two columns of the manifest is an id in one and a text in the other.
    return column if column.dtype == _column_type(name) else column.cast(_column_type(name))


def _repeated(name: str, value: str | int | None, rows: int, dtype: pl.DataType) -> pl.Series:
    return pl.Series(name, [value], dtype=dtype).new_from_index(0, rows)


def _column_type(name: str) -> pl.DataType:
    return pl.Int64() if name in tables.ID_COLUMNS else pl.String()
