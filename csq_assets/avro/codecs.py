"""The compression codecs of Avro blocks, and the damage that each of them detects."""

import bz2
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from mmap import mmap
from typing import Any, Protocol, TypeAlias, TypeVar

import cramjam
from isal import isal_zlib

from csq_assets.errors import FileError

MAX_BLOCK_BYTES = 512 * 1024 * 1024  # unpacked

Bytes: TypeAlias = bytes | bytearray | memoryview
B = TypeVar("B", bytes, memoryview)

# The most that the formats can expand: a larger claim is damage, refused before it is allocated.
_SNAPPY_EXPANDS, _LZ4_EXPANDS = 32, 256
_GUESSED_EXPANSION = 8
_XZ_MEMORY_BYTES = 256 * 1024 * 1024
_ZSTD_FLAGS, _ZSTD_CHECKSUM = 4, 0b100  # the place of a frame's flags, and one of them


class TooLargeError(FileError):
    """A block that unpacks to more bytes than allowed."""


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """The unpacked bytes of a block. `checked`: a checksum of them was there, and was right."""

    data: Bytes
    checked: bool


def unpack(codec: str, packed: memoryview, limit: int = MAX_BLOCK_BYTES) -> Plain:
    """Unpack one block of a known codec, to at most `limit` bytes.

    Raises TooLargeError while unpacking more than that, FileError where the block is damaged. A snappy
    block ends with the CRC-32 of its plain bytes, big-endian; it is checked.
    Source: export-format.md, "The Avro files"; contract.md, section 4.
    """
    try:
        return _UNPACKERS[codec](packed, limit)
    except _DAMAGED as error:
        raise FileError(f"a {codec} block is damaged: {error}") from None
    except _LimitReachedError:
        raise TooLargeError(f"a {codec} block unpacks to more than {limit:,} bytes") from None


def refuse_unknown(codec: str) -> None:
    if codec not in _UNPACKERS:
        known = ", ".join(_UNPACKERS)
        raise FileError(f'its codec "{codec}" is unknown; known are {known}')


def plain_size(codec: str, packed: memoryview) -> int:
    """The approximate size of the unpacked block in bytes, without unpacking it."""
    if codec == "null":
        return len(packed)
    if codec == "snappy":
        return _snappy_size(packed)
    return len(packed) * _GUESSED_EXPANSION


class _LimitReachedError(Exception):
    pass


_DAMAGED = (cramjam.DecompressionError, zlib.error, lzma.LZMAError, OSError, ValueError)


def _snappy_size(packed: memoryview) -> int:
    try:
        return min(cramjam.snappy.decompress_raw_len(packed[:8]), len(packed) * _SNAPPY_EXPANDS)
    except cramjam.DecompressionError:  # unpacking it reports the damage
        return 0


def _null(packed: memoryview, limit: int) -> Plain:
    return Plain(_within(packed, limit), checked=False)


def _snappy(packed: memoryview, limit: int) -> Plain:
    body, checksum = packed[:-4], packed[-4:]
    if len(body) == 0:
        raise ValueError("it is too short to have a CRC")
    plain = _room(cramjam.snappy.decompress_raw_len(body), len(body) * _SNAPPY_EXPANDS, limit)
    cramjam.snappy.decompress_raw_into(body, plain)
    if isal_zlib.crc32(plain) != int.from_bytes(checksum, "big"):
        raise ValueError("its CRC does not match")
    return Plain(plain, checked=True)


def _lz4(packed: memoryview, limit: int) -> Plain:
    claimed = int.from_bytes(packed[:4], "little")
    plain = _room(claimed, len(packed) * _LZ4_EXPANDS, limit)
    size = cramjam.lz4.decompress_block_into(packed, plain)
    if size != claimed:
        raise ValueError(f"it claims {claimed} bytes and has {size}")
    return Plain(plain, checked=False)


def _room(claimed: int, possible: int, limit: int) -> bytearray:
    if claimed > possible:
        raise ValueError("it claims more bytes than it can hold")
    if claimed > limit:
        raise _LimitReachedError
    return bytearray(claimed)


def _zstandard(packed: memoryview, limit: int) -> Plain:
    with mmap(-1, limit + 1) as room:  # takes memory only as far as it is written
        try:
            size = cramjam.zstd.decompress_into(packed, room)
        except cramjam.DecompressionError as error:
            if "whole buffer" in str(error):
                raise _LimitReachedError from None
            raise
        plain = room[:size]
    return Plain(_within(plain, limit), bool(packed[_ZSTD_FLAGS] & _ZSTD_CHECKSUM))


def _deflate(packed: memoryview, limit: int) -> Plain:
    # Bytes behind the stream are not damage: Avro's Python writers leave three of a checksum there.
    stream = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    return Plain(_whole(stream, packed, limit), checked=False)


def _bzip2(packed: memoryview, limit: int) -> Plain:
    return Plain(_whole(bz2.BZ2Decompressor(), packed, limit), checked=True)


def _xz(packed: memoryview, limit: int) -> Plain:
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)
    plain = _whole(stream, packed, limit)
    return Plain(plain, checked=stream.check != lzma.CHECK_NONE)


class _Stream(Protocol):
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: Any, max_length: int, /) -> bytes: ...


def _whole(stream: _Stream, packed: memoryview, limit: int) -> bytes:
    plain = _within(stream.decompress(packed, limit + 1), limit)
    if not stream.eof:
        raise ValueError("it is cut")
    return plain


def _within(plain: B, limit: int) -> B:
    if len(plain) > limit:
        raise _LimitReachedError
    return plain


_UNPACKERS: dict[str, Callable[[memoryview, int], Plain]] = {
    "null": _null,
    "deflate": _deflate,
    "snappy": _snappy,
    "bzip2": _bzip2,
    "xz": _xz,
    "zstandard": _zstandard,
    "lz4": _lz4,
}
