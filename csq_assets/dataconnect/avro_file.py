"""One Avro file of a table: its header read and admitted, its blocks still to come."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from csq_assets.dataconnect import tables
from csq_assets.dataconnect.avro import REMEDY
from csq_assets.dataconnect.avro_schema import RecordSchema, parse_schema
from csq_assets.dataconnect.container import Block, Container
from csq_assets.dataconnect.manifest import TableDump
from csq_assets.errors import CsqError, FileError, IdentifierError


@dataclass(frozen=True, slots=True, eq=False)
class AvroFile:
    """A file that is open. `path` is the manifest's."""

    path: str
    schema: RecordSchema
    container: Container

    @property
    def bytes_read(self) -> int:
        return self.container.bytes_read

    def blocks(self) -> Iterator[Block]:
        """Its blocks, once. Raises FileError or StorageError, naming the file."""
        try:
            yield from self.container.blocks()
        except CsqError as error:
            raise _placed(error, self.path) from error.__cause__


def read_headers(dump: TableDump, opened: Iterable[tuple[str, BinaryIO]]) -> Iterator[AvroFile]:
    """Read the header of each file, and refuse what the table cannot be made from.

    Raises FileError, IdentifierError where a column of the table's key is missing, and
    NameClashError, all naming the file.
    """
    keys = tables.key_columns(dump.table, dump.columns)
    for path, file in opened:
        try:
            container = Container(file)
            schema = parse_schema(container.schema)
            tables.refuse_reserved_columns(dump, schema.columns)
        except CsqError as error:
            raise _placed(error, path) from error.__cause__
        for key in keys:
            if key not in schema.columns:
                raise IdentifierError(
                    "the file has no such column, and the table's key needs it",
                    where={"file": path, "column": key},
                    remedy=REMEDY,
                )
        yield AvroFile(path, schema, container)


def _placed(error: CsqError, path: str) -> CsqError:
    if isinstance(error, FileError) and not error.remedy:
        error.remedy = REMEDY
    return error.at(file=path)
