"""The fast path: rows of plain and nullable primitives, read by Polars.

Many blocks become one container in memory, with a schema of our own making, so that neither the
file's codec nor anything in its schema can put the reader off. One big block is read faster than
many, but nobody sees any more where one of them ends too early or too late. So rows of random
content, known to us, are put behind them: where they come out as they went in, all before was read
exactly.
"""

import json
import secrets
import struct
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from typing import Any

import polars as pl

from csq_assets.avro.schema import NativeType

_SYNC = b"csq_assets blocks"[:16]
_SENTINEL_BITS = 64
_MORE = 0x80  # of an integer, when set in a byte
_BITS = {"long": 63, "string": 64, "double": 60, "float": 23, "boolean": 1}


def read_native(
    types: Sequence[NativeType], rows: int, blocks: Sequence[memoryview]
) -> pl.DataFrame | None:
    """The rows of some plain blocks, which hold `rows` of them, or None where they are not that.

    Columns are named by their place: "0", "1", ... Int64, Float32, Float64, Boolean, String.
    """
    layout = _layout(tuple(types))
    size = sum(len(block) for block in blocks) + len(layout.sentinel)
    parts = (
        layout.header,
        encode_long(rows + len(layout.sentinel_rows)),
        encode_long(size),
        *blocks,
        layout.sentinel,
        _SYNC,
    )
    try:
        frame = pl.read_avro(BytesIO(b"".join(parts)))
    # Polars panics over a text that is longer than what is left; a panic is no Exception.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    if frame.height != rows + len(layout.sentinel_rows):
        return None
    if frame.slice(rows).rows() != layout.sentinel_rows:
        return None
    return frame.slice(0, rows)


def encode_long(number: int) -> bytes:
    """A long as Avro stores it: zigzag, seven bits a byte."""
    left = (number << 1) ^ (number >> 63)
    out = bytearray()
    while left >= _MORE:
        out.append(left % _MORE | _MORE)
        left >>= 7
    out.append(left)
    return bytes(out)


class _Layout:
    """What is put around the blocks of one kind of row."""

    def __init__(self, types: tuple[NativeType, ...]) -> None:
        schema = json.dumps({"type": "record", "name": "row", "fields": _fields(types)}).encode()
        self.header = b"".join(
            (b"Obj\x01", encode_long(1), _text(b"avro.schema"), _text(schema), b"\0", _SYNC)
        )
        bits = sum(_BITS[native.primitive] for native in types)
        count = -(-_SENTINEL_BITS // bits)
        rows = [[_random_value(native.primitive) for native in types] for _ in range(count)]
        self.sentinel_rows = [tuple(value for value, _ in row) for row in rows]
        self.sentinel = b"".join(
            _branch(native) + stored
            for row in rows
            for native, (_, stored) in zip(types, row, strict=True)
        )


@lru_cache(maxsize=256)
def _layout(types: tuple[NativeType, ...]) -> _Layout:
    return _Layout(types)


def _fields(types: tuple[NativeType, ...]) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = []
    for index, native in enumerate(types):
        declared: Any = native.primitive
        if native.null_branch is not None:
            declared = [native.primitive]
            declared.insert(native.null_branch, "null")
        fields.append({"name": str(index), "type": declared})
    return fields


def _branch(native: NativeType) -> bytes:
    return b"" if native.null_branch is None else encode_long(1 - native.null_branch)


def _random_value(primitive: str) -> tuple[Any, bytes]:
    """A value, and how it is stored."""
    if primitive == "long":
        number = secrets.randbits(64) - 2**63
        return number, encode_long(number)
    if primitive == "boolean":
        truth = secrets.choice((True, False))
        return truth, bytes([truth])
    if primitive == "string":
        text = f"{secrets.randbits(64):016x}"
        return text, _text(text.encode())
    shape = "<f" if primitive == "float" else "<d"
    stored = struct.pack(shape, secrets.randbits(53) / 2**53)
    return struct.unpack(shape, stored)[0], stored


def _text(data: bytes) -> bytes:
    return encode_long(len(data)) + data
