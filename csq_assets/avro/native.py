"""The native path: flat rows of plain and nullable primitives, read by Polars.

Many blocks become one container in memory, with a schema of our own, so that neither the file's codec
nor the rest of its schema matters. Texts are read as bytes: those that are not UTF-8 are found later.
"""

import json
from collections.abc import Collection, Sequence
from functools import lru_cache
from io import BytesIO
from itertools import accumulate
from typing import Any

import polars as pl

from csq_assets.avro.exactness import Group, is_exact
from csq_assets.avro.schema import RecordSchema
from csq_assets.avro.type_readers import MORE, NativeType
from csq_assets.panics import unprinted_panics

_SYNC = b"csq_assets blocks"[:16]


def read_native(
    schema: RecordSchema,
    ids: Collection[str],
    row_counts: Sequence[int],
    blocks: Sequence[bytes | bytearray | memoryview],
) -> list[Group] | None:
    """The columns of plain blocks with `row_counts` rows, by type and by whether they are `ids`.

    They are Int64, Float32, Float64, Boolean, and Binary for texts. None where Polars cannot read the
    types, or the blocks are not exactly that.
    """
    if schema.native is None:
        return None
    rows, sizes = sum(row_counts), [len(block) for block in blocks]
    header = _header(schema) + encode_long(rows) + encode_long(sum(sizes))
    container = b"".join((header, *blocks, _SYNC))
    try:
        with unprinted_panics:
            columns = pl.read_avro(BytesIO(container)).get_columns()
    # Polars panics over a text that is longer than what is left; a panic is no Exception.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    if len(columns[0]) != rows:
        return None
    groups = _grouped(schema, ids, columns)
    ends = list(zip(accumulate(row_counts), accumulate(sizes), strict=True))
    return groups if is_exact(groups, container, len(header), ends) else None


def _grouped(
    schema: RecordSchema, ids: Collection[str], columns: Sequence[pl.Series]
) -> list[Group]:
    places: dict[tuple[NativeType, bool], list[int]] = {}
    for place, field in enumerate(schema.fields):
        if field.native is not None:
            places.setdefault((field.native, field.name in ids), []).append(place)
    # Each in one chunk: to slice a series of thousands of chunks takes as many steps.
    return [
        Group(
            kind, is_id, tuple(alike), pl.concat([columns[place] for place in alike], rechunk=True)
        )
        for (kind, is_id), alike in places.items()
    ]


def encode_long(number: int) -> bytes:
    """A long as Avro stores it: zigzag, seven bits a byte."""
    left = (number << 1) ^ (number >> 63)
    out = bytearray()
    while left >= MORE:
        out.append(left % MORE | MORE)
        left >>= 7
    out.append(left)
    return bytes(out)


@lru_cache(maxsize=64)
def _header(schema: RecordSchema) -> bytes:
    fields = [
        {"name": str(place), "type": _declared(native)}
        for place, native in enumerate(schema.native or ())
    ]
    body = json.dumps({"type": "record", "name": "row", "fields": fields}).encode()
    return b"Obj\x01" + encode_long(1) + _text(b"avro.schema") + _text(body) + b"\0" + _SYNC


def _declared(native: NativeType) -> Any:
    declared = "bytes" if native.primitive == "string" else native.primitive
    if native.null_branch is None:
        return declared
    return ["null", declared] if native.null_branch == 0 else [declared, "null"]


def _text(data: bytes) -> bytes:
    return encode_long(len(data)) + data
