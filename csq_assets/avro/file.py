"""An open Avro file: its header is read, its blocks are read on demand."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import BinaryIO

from csq_assets.avro.container import Block, Container
from csq_assets.avro.schema import parse_schema
from csq_assets.errors import FileError, located

OpenFile = Callable[[str], BinaryIO]
_MOST_EMPTY_ROWS = 1_000_000


class AvroFile:
    """The file that `open_file` opens by its path.

    Raises what `open_file` raises, FileError and StorageError, each naming the file.
    """

    def __init__(self, path: str, open_file: OpenFile) -> None:
        self.path = path
        with located(file=path), ExitStack() as opened:
            self._container = Container(opened.enter_context(closing(open_file(path))))
            self.schema = parse_schema(self._container.schema)
            self.close = opened.pop_all().close

    @property
    def bytes_read(self) -> int:
        return self._container.bytes_read

    @property
    def size_bytes(self) -> int:
        return self._container.size_bytes

    def blocks(self) -> Iterator[Block]:
        """Its blocks in order, once."""
        with located(file=self.path):
            for block in self._container.blocks():
                # A few bytes of blocks could go on for billions of such rows.
                if self.schema.least_bytes == 0 and block.first_row + block.rows > _MOST_EMPTY_ROWS:
                    raise FileError(f"more than {_MOST_EMPTY_ROWS:,} rows that take no bytes")
                yield block
