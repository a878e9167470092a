"""One Avro file of a table: open, its header read, its blocks still to come."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from csq_assets.dataconnect.avro import REMEDY
from csq_assets.dataconnect.avro_schema import parse_schema
from csq_assets.dataconnect.container import Block, Container
from csq_assets.errors import CsqError, FileError

OpenFile = Callable[[str], BinaryIO]


class AvroFile:
    """A file by its path in the manifest, opened by `open_file`.

    Raises what `open_file` does, FileError and StorageError, all naming the file.
    """

    def __init__(self, path: str, open_file: OpenFile) -> None:
        self.path = path
        try:
            self._file = open_file(path)
            try:
                self._container = Container(self._file)
                self.schema = parse_schema(self._container.schema)
            except BaseException:
                self._file.close()
                raise
        except CsqError as error:
            self._place(error)
            raise

    @property
    def bytes_read(self) -> int:
        return self._container.bytes_read

    @property
    def size_bytes(self) -> int:
        return self._container.size_bytes

    def blocks(self) -> Iterator[Block]:
        """Its blocks in order, once."""
        try:
            yield from self._container.blocks()
        except CsqError as error:
            self._place(error)
            raise

    def close(self) -> None:
        self._file.close()

    def _place(self, error: CsqError) -> None:
        if isinstance(error, FileError) and not error.remedy:
            error.remedy = REMEDY
        error.at(file=self.path)
