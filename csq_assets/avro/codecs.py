"""How the blocks of an Avro container are compressed, and what tells that one is damaged."""

import zlib
from collections.abc import Callable
from typing import Any

import cramjam

from csq_assets.errors import FileError

# The most that the formats can expand: a longer claim is damage, and is refused unallocated.
_SNAPPY_EXPANDS, _LZ4_EXPANDS = 32, 256
_GUESSED_EXPANSION = 8


def unpack(codec: str, packed: memoryview) -> memoryview:
    """The plain bytes of one block. Raises FileError where it is damaged or the codec unknown.

    A snappy block ends with the CRC-32 of its plain bytes, big-endian; it is checked.
    Source: export-format.md, "The Avro files".
    """
    unpacker = _UNPACKERS.get(codec)
    if unpacker is None:
        raise unknown_codec(codec)
    try:
        return memoryview(unpacker(packed))
    except cramjam.DecompressionError as error:
        raise FileError(f"a {codec} block is damaged: {error}") from None


def is_known(codec: str) -> bool:
    return codec in _UNPACKERS


def unknown_codec(codec: str) -> FileError:
    return FileError(f'its codec "{codec}" is unknown; known are {", ".join(_UNPACKERS)}')


def plain_size(codec: str, packed: memoryview) -> int:
    """About how many bytes the block unpacks to, told without unpacking it."""
    if codec == "null":
        return len(packed)
    if codec == "snappy":
        return _snappy_size(packed)
    return len(packed) * _GUESSED_EXPANSION


def _snappy_size(packed: memoryview) -> int:
    try:
        return min(cramjam.snappy.decompress_raw_len(packed[:8]), len(packed) * _SNAPPY_EXPANDS)
    except cramjam.DecompressionError:  # unpacking it will tell
        return 0


def _null(packed: memoryview) -> memoryview:
    return packed


def _snappy(packed: memoryview) -> Any:
    body, checksum = packed[:-4], packed[-4:]
    if len(body) == 0:
        raise FileError("a snappy block is damaged: it is too short to have a CRC")
    if cramjam.snappy.decompress_raw_len(body) > len(body) * _SNAPPY_EXPANDS:
        raise FileError("a snappy block is damaged: it claims more bytes than it can hold")
    plain = cramjam.snappy.decompress_raw(body)
    if zlib.crc32(plain) != int.from_bytes(checksum, "big"):
        raise FileError("a snappy block is damaged: its CRC does not match")
    return plain


def _lz4(packed: memoryview) -> Any:
    if int.from_bytes(packed[:4], "little") > len(packed) * _LZ4_EXPANDS:
        raise FileError("a lz4 block is damaged: it claims more bytes than it can hold")
    return cramjam.lz4.decompress_block(packed)


_UNPACKERS: dict[str, Callable[[Any], Any]] = {
    "null": _null,
    # Bytes behind the stream are no damage: Avro's Python writers leave three of a checksum there.
    "deflate": cramjam.deflate.decompress,
    "snappy": _snappy,
    "bzip2": cramjam.bzip2.decompress,
    "xz": cramjam.xz.decompress,
    "zstandard": cramjam.zstd.decompress,
    "lz4": _lz4,
}
