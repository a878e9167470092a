"""The native path: flat rows of plain and nullable primitives, read by Polars.

Many blocks become one container in memory, with a schema of our own, so that neither the file's codec
nor the rest of its schema matters. Texts are read as bytes: those that are not UTF-8 are found here.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from itertools import accumulate
from typing import Any

import polars as pl

from csq_assets.avro.exactness import is_exact
from csq_assets.avro.schema import NativeType

_SYNC = b"csq_assets blocks"[:16]
_MORE = 0x80  # the flag in a byte of an integer that another byte follows


def read_native(
    types: Sequence[NativeType],
    row_counts: Sequence[int],
    blocks: Sequence[bytes | bytearray | memoryview],
) -> list[pl.Series] | None:
    """The columns of plain blocks with `row_counts` rows, or None where they are not exactly that.

    Columns are Int64, Float32, Float64, Boolean, and Binary for texts.
    """
    rows, sizes = sum(row_counts), [len(block) for block in blocks]
    header = _header(tuple(types)) + encode_long(rows) + encode_long(sum(sizes))
    container = b"".join((header, *blocks, _SYNC))
    try:
        columns = pl.read_avro(BytesIO(container)).get_columns()
    # Polars panics over a text that is longer than what is left; a panic is no Exception.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    ends = list(zip(accumulate(row_counts), accumulate(sizes), strict=True))
    complete = len(columns[0]) == rows
    return columns if complete and is_exact(columns, types, container, len(header), ends) else None


def encode_long(number: int) -> bytes:
    """A long as Avro stores it: zigzag, seven bits a byte."""
    left = (number << 1) ^ (number >> 63)
    out = bytearray()
    while left >= _MORE:
        out.append(left % _MORE | _MORE)
        left >>= 7
    out.append(left)
    return bytes(out)


@lru_cache(maxsize=64)
def _header(types: tuple[NativeType, ...]) -> bytes:
    schema = json.dumps({"type": "record", "name": "row", "fields": _fields(types)}).encode()
    pairs = encode_long(1) + _text(b"avro.schema") + _text(schema) + encode_long(0)
    return b"Obj\x01" + pairs + _SYNC


def _fields(types: tuple[NativeType, ...]) -> list[dict[str, Any]]:
    fields: list[dict[str, Any]] = []
    for index, native in enumerate(types):
        declared: Any = "bytes" if native.primitive == "string" else native.primitive
        if native.null_branch is not None:
            declared = [declared]
            declared.insert(native.null_branch, "null")
        fields.append({"name": str(index), "type": declared})
    return fields


def _text(data: bytes) -> bytes:
    return encode_long(len(data)) + data
