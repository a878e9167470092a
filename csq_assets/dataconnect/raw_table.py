"""Decodes one table of one dump: opens and checks its files, settles its columns, streams its rows.

Source: contract.md, "Raw tables"; export-format.md, "The Avro files".
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import chain, islice
from typing import TypeVar

from csq_assets.avro.file import AvroFile, OpenFile
from csq_assets.avro.schema import RecordSchema
from csq_assets.dataconnect import tables
from csq_assets.dataconnect.manifest import TableDump
from csq_assets.dataconnect.matching import match_columns
from csq_assets.dataconnect.raw_partition import RawPartition, UnknownColumnsError, contained
from csq_assets.dataconnect.redaction import Redaction
from csq_assets.errors import (
    REDELIVER,
    CsqError,
    DeliveryError,
    FileError,
    IdentifierError,
    located,
)
from csq_assets.prefetch import open_in_order

T = TypeVar("T")

_NOTHING = Redaction()


def write_partition(
    dump: TableDump,
    open_file: OpenFile,
    write: Callable[[RawPartition], T],
    *,
    redaction: Redaction = _NOTHING,
    workers: int = 2,
    ahead: int = 8,
) -> T:
    """Decode one table of one dump, pass it to `write`, and return what `write` returns.

    `write` takes `partition.frames()` to its end and writes them with `partition.schema`. Where a
    later file has a column that neither the manifest nor the first file has, frames() raises
    UnknownColumnsError; `write` lets it through, and is called again with all columns: what it wrote
    before must not count. `redaction` leaves out what must not be written. `open_file` opens a path of
    the manifest as a binary file, or raises a
    CsqError; `ahead` files are opened ahead, in threads. `workers` threads decode.

    Raises what frames() raises, NameClashError for a column with one of our own names,
    IdentifierError where a file lacks a column of the table's key, and whatever `write` raises.
    """

    def attempt(columns: Iterable[str] = ()) -> T:
        with _open_files(dump, open_file, ahead) as files:
            # Mostly the first file has all the columns, so that nothing has to begin again.
            first = [] if columns else list(islice(files, 1))
            columns = columns or _united(dump, first)
            rows = RawPartition(dump, columns, chain(first, files), workers, redaction)
            with closing(rows) as partition:
                return write(partition)

    try:
        tables.refuse_unusable_columns(dump, dump.columns)
        try:
            return attempt()
        except UnknownColumnsError:
            with _open_files(dump, open_file, ahead) as files:
                columns = _united(dump, files)
        return attempt(columns)
    except UnknownColumnsError:
        raise FileError(
            "its files changed while they were read",
            where={"dump": dump.dump_id, "table": dump.table},
        ) from None
    except CsqError as error:
        if isinstance(error, DeliveryError) and not error.remedy:
            error.remedy = REDELIVER
        error.at(dump=dump.dump_id, table=dump.table)
        raise


@contextmanager
def _open_files(dump: TableDump, open_file: OpenFile, ahead: int) -> Iterator[Iterator[AvroFile]]:
    """The dump's files in order, their headers read, each fit for the table."""
    fit = set[RecordSchema]()

    def admit(file: AvroFile) -> AvroFile:
        if file.schema not in fit:
            _refuse_unfit(dump, file)
            fit.add(file.schema)
        return file

    def open_one(path: str) -> AvroFile:
        with contained(path):
            return AvroFile(path, open_file)

    opened = open_in_order(dump.files, open_one, ahead=ahead)
    with opened as files:
        yield map(admit, files)


def _refuse_unfit(dump: TableDump, file: AvroFile) -> None:
    columns = match_columns(dump.columns, file.schema.columns)
    for key in tables.key_columns(dump.table, dump.columns):
        if key not in columns:
            raise IdentifierError(
                "the file has no such column, and the table's key needs it",
                where={"file": file.path, "column": key},
            )
    with located(file=file.path):
        tables.refuse_unusable_columns(dump, columns)


def _united(dump: TableDump, files: Iterable[AvroFile]) -> tuple[str, ...]:
    columns = dict.fromkeys(dump.columns)
    for file in files:
        columns.update(dict.fromkeys(match_columns(dump.columns, file.schema.columns)))
    return tuple(columns)
