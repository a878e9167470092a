"""The Avro object container: a header, then blocks of rows. Damage is always detected."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import SEEK_END
from typing import BinaryIO

from csq_assets.avro import codecs
from csq_assets.avro.type_readers import LONGEST_LONG, MORE, CorruptValueError, Cursor, read_long
from csq_assets.errors import FileError, StorageError

_MAGIC = b"Obj\x01"
_SYNC_BYTES = 16
_CHUNK_BYTES = 256 * 1024
_MOST_ROWS = 2**48  # of a file: their numbers are 64-bit integers, also if damage adds to them
_MAX_HEADER_BYTES = 16 * 1024 * 1024  # of one entry: a schema of 200,000 columns


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Consecutive rows, still packed."""

    first_row: int  # number in the file, from 0
    rows: int
    codec: str
    packed: memoryview

    @property
    def plain_size(self) -> int:
        """The approximate number of bytes that it unpacks to."""
        return codecs.plain_size(self.codec, self.packed)

    def unpack(self, limit: int = codecs.MAX_BLOCK_BYTES) -> codecs.Plain:
        """Its plain bytes. Raises TooLargeError above `limit`, FileError where it is damaged."""
        try:
            return codecs.unpack(self.codec, self.packed, limit)
        except FileError as error:
            error.message += f" (it begins with row {self.first_row})"
            raise


class Container:
    """One container file, read from front to back. Holds one block and one chunk of it at most.

    `file` needs `read`. If its size is known, by an attribute `size_bytes` or by seeking, the bytes
    read are compared with it.

    Raises FileError where the file is not Avro, cut, or damaged; StorageError where reading fails.
    Source: export-format.md, "The Avro files", edge cases 24 and 25.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._bytes = _Bytes(file)
        metadata = self._read_header()
        schema = metadata.get(b"avro.schema")
        if schema is None:
            raise FileError("its header has no schema")
        self.schema: bytes = schema
        self.codec: str = metadata.get(b"avro.codec", b"null").decode("utf-8", "replace")
        codecs.refuse_unknown(self.codec)

    @property
    def bytes_read(self) -> int:
        return self._bytes.taken

    @property
    def size_bytes(self) -> int:
        """The size of the file; the bytes read so far where it is unknown."""
        return self._bytes.taken if self._bytes.size is None else self._bytes.size

    def blocks(self) -> Iterator[Block]:
        """The blocks in order, once. The file may end only after a sync marker."""
        source, row = self._bytes, 0
        while not source.at_end():
            rows, size = source.take_long(), source.take_long()
            if not 0 <= rows <= _MOST_ROWS - row or size < 0:
                raise FileError(f"damaged: a block of {rows} rows and {size} bytes")
            if size > codecs.MAX_BLOCK_BYTES:
                raise codecs.TooLargeError(
                    f"a block of {size:,} bytes; the most is {codecs.MAX_BLOCK_BYTES:,}"
                )
            packed = source.take(size)
            if source.take(_SYNC_BYTES) != self._sync:
                raise FileError(f"damaged: wrong sync marker after row {row + rows}")
            yield Block(row, rows, self.codec, packed)
            row += rows
        source.check_size()

    def _read_header(self) -> dict[bytes, bytes]:
        source = self._bytes
        if source.at_end():
            raise FileError("it is empty: 0 bytes")
        if source.take(len(_MAGIC)) != _MAGIC:
            raise FileError("it is not an Avro container file: it does not begin with Obj1")
        metadata: dict[bytes, bytes] = {}
        while pairs := source.take_long():
            if pairs < 0:  # then the size in bytes follows, for readers who want to skip
                source.take_long()
            for _ in range(abs(pairs)):
                key = self._take_bytes()
                metadata[key] = self._take_bytes()
        self._sync = source.take(_SYNC_BYTES)
        return metadata

    def _take_bytes(self) -> bytes:
        size = self._bytes.take_long()
        if size > _MAX_HEADER_BYTES:
            raise FileError(f"a header entry of {size:,} bytes; the most is {_MAX_HEADER_BYTES:,}")
        return bytes(self._bytes.take(size))


class _Bytes:
    """The bytes of a file, read in chunks."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._told_size: int | None = getattr(file, "size_bytes", None)
        self.size = _measured(file) if self._told_size is None else self._told_size
        self._chunk = memoryview(b"")
        self._at = 0
        self.taken = 0

    def at_end(self) -> bool:
        return self._at == len(self._chunk) and not self._fill(1)

    def take(self, count: int) -> memoryview:
        if count < 0:
            raise FileError(f"damaged: a length of {count} bytes")
        end = self._at + count
        if end > len(self._chunk):
            if not self._fill(count):
                at = self.taken + len(self._chunk) - self._at
                raise FileError(f"truncated: it ends inside a header or a block, at byte {at}")
            end = count
        taken = self._chunk[self._at : end]
        self._at = end
        self.taken += count
        return taken

    def take_long(self) -> int:
        stored = bytearray()
        while len(stored) < LONGEST_LONG and (not stored or stored[-1] >= MORE):
            stored += self.take(1)
        try:
            return read_long(Cursor(stored))
        except CorruptValueError as error:
            raise FileError(f"damaged: {error}") from None

    def check_size(self) -> None:
        goes_on = self._told_size is not None and self._read() != b""
        if self.size is not None and (self.size != self.taken or goes_on):
            raise FileError(
                f"truncated or changed: {self.taken} bytes were read, its size is {self.size}"
            )

    def _fill(self, count: int) -> bool:
        """Buffer at least `count` bytes; False where the file has fewer."""
        if self.size is not None and self.taken + count > self.size:
            return False  # before anything is allocated for what a damaged length claims
        pieces = [bytes(self._chunk[self._at :])]
        missing = count - len(pieces[0])
        while missing > 0 and (piece := self._read()):
            pieces.append(piece)
            missing -= len(piece)
        self._chunk = memoryview(b"".join(pieces))
        self._at = 0
        return missing <= 0

    def _read(self) -> bytes:
        try:
            return self._file.read(_CHUNK_BYTES)
        except OSError as error:
            raise StorageError(f"reading it failed: {error}") from error


def _measured(file: BinaryIO) -> int | None:
    if not file.seekable():
        return None
    here = file.tell()
    end = file.seek(0, SEEK_END)
    file.seek(here)
    return end - here
