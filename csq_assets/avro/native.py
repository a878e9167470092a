"""The native path: flat rows of plain and nullable primitives, read by Polars.

Many blocks become one container in memory, with a schema of our own, so that neither the file's codec
nor the rest of its schema matters. Texts are read as bytes: those that are not UTF-8 are found after.
"""

import json
from collections.abc import Collection, Sequence
from functools import lru_cache
from io import BytesIO
from itertools import accumulate
from typing import Any

import polars as pl

from csq_assets.avro.batch import Batch, Decoded, sum_up_replaced
from csq_assets.avro.codecs import Plain
from csq_assets.avro.exactness import Group, in_file_order, is_exact
from csq_assets.avro.schema import RecordSchema
from csq_assets.avro.type_readers import MORE, NativeType
from csq_assets.avro.values import NotAnIdError, decoded_texts, ids_of, texts_of
from csq_assets.panics import unprinted_panics

_SYNC = b"csq_assets blocks"[:16]


def read_native(batch: Batch, plains: Sequence[Plain], ids: Collection[str]) -> Decoded | None:
    """The rows in `plains`, the batch's unpacked blocks. None where Polars cannot read them, or where
    they are not exactly that: the complete path decides.
    """
    if batch.schema.native is None:
        return None
    sizes = [len(plain.data) for plain in plains]
    header = _header(batch.schema) + encode_long(batch.rows) + encode_long(sum(sizes))
    container = b"".join((header, *(plain.data for plain in plains), _SYNC))
    try:
        with unprinted_panics:
            columns = pl.read_avro(BytesIO(container)).get_columns()
    # Polars panics over a text that is longer than what is left; a panic is no Exception.
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None
    groups = _grouped(batch.schema, batch.schema.native, columns, ids)
    rows = accumulate(block.rows for _, block in batch.blocks)
    ends = list(zip(rows, accumulate(sizes), strict=True))
    if len(columns[0]) != batch.rows or not is_exact(groups, container, len(header), ends):
        return None
    return _converted(batch, groups, may_replace=all(plain.checked for plain in plains))


def _grouped(
    schema: RecordSchema,
    types: Sequence[NativeType],
    columns: Sequence[pl.Series],
    ids: Collection[str],
) -> list[Group]:
    places: dict[tuple[NativeType, bool], list[int]] = {}
    for place, (name, native) in enumerate(zip(schema.columns, types, strict=True)):
        places.setdefault((native, name in ids), []).append(place)
    # Each in one chunk: to slice a series of thousands of chunks takes as many steps.
    return [
        Group(native, is_id, alike, pl.concat([columns[place] for place in alike], rechunk=True))
        for (native, is_id), alike in places.items()
    ]


def _converted(batch: Batch, groups: Sequence[Group], *, may_replace: bool) -> Decoded | None:
    converted: list[pl.Series] = []
    replaced: list[tuple[int, int]] = []
    try:
        for group in groups:
            values, found = decoded_texts(group.values)
            replaced += [(index % batch.rows, sequences) for index, sequences in found]
            converted.append(ids_of(values) if group.is_id else texts_of(values))
    except NotAnIdError:
        return None
    if replaced and not may_replace:
        return None
    frame = pl.DataFrame(in_file_order(groups, converted), schema=list(batch.schema.columns))
    runs = batch.runs()
    return Decoded(frame, runs, sum_up_replaced(runs, replaced))


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
