"""An open Avro file: its header is read, its blocks are read on demand."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from csq_assets.avro.container import Block, Container
from csq_assets.avro.schema import parse_schema
from csq_assets.errors import CsqError

OpenFile = Callable[[str], BinaryIO]


class AvroFile:
    """The file that `open_file` opens by its path.

    Raises what `open_file` raises, FileError and StorageError, each naming the file.
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
            error.at(file=self.path)
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
            error.at(file=self.path)
            raise

    def close(self) -> None:
        self._file.close()
