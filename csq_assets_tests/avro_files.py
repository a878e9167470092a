"""Writes Avro files for tests, with types inferred from the values."""

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import fastavro

Row: TypeAlias = Mapping[str, Any]
Schema: TypeAlias = Mapping[str, Any]  # a whole Avro record, or Avro types by column

_TYPES = {
    type(None): "null",
    bool: "boolean",
    int: "long",
    float: "double",
    str: "string",
    bytes: "bytes",
}


def encode_avro(
    rows: Sequence[Row],
    schema: Schema | None = None,
    *,
    codec: str = "snappy",
    block_rows: int = 0,
) -> bytes:
    """One Avro object container file; the same arguments give the same bytes.

    Types that `schema` does not give are inferred. `block_rows` ends a block after so many rows.
    """
    record = avro_schema(rows, schema)
    marker = hashlib.sha256(repr((rows, record)).encode()).digest()[:16]
    body = io.BytesIO()
    if not block_rows:
        fastavro.writer(body, record, rows, codec=codec, sync_marker=marker)
        return body.getvalue()
    for start in range(0, len(rows), block_rows):
        part = io.BytesIO()
        block = rows[start : start + block_rows]
        fastavro.writer(part, record, block, codec=codec, sync_marker=marker)
        header_size = part.getvalue().index(marker) + len(marker)
        body.write(part.getvalue()[header_size if start else 0 :])
    return body.getvalue()


def avro_schema(rows: Sequence[Row], schema: Schema | None = None) -> dict[str, Any]:
    """The Avro record of `rows`.

    A `schema` with a "type" of "record" counts as it is. Else it gives types by column, and the rest
    is inferred: a column with nulls, or lacking in a row, is nullable.
    """
    given = dict(schema or {})
    if given.get("type") == "record":
        return given
    names = dict.fromkeys((*_keys(rows), *given))
    fields = [{"name": name, "type": given.get(name) or _inferred(name, rows)} for name in names]
    return {"type": "record", "name": "row", "fields": fields}


def _inferred(name: str, rows: Sequence[Row]) -> Any:
    return _type_of_all(row.get(name) for row in rows)


def _type_of_all(values: Iterable[Any]) -> Any:
    types: list[Any] = []
    for value in values:
        if (kind := _type_of(value)) not in types:
            types.append(kind)
    if types in (["null"], []):
        return ["null", "string"]
    types.sort(key=lambda kind: kind != "null")
    return types if len(types) > 1 else types[0]


def _type_of(value: Any) -> Any:
    if isinstance(value, list):
        return {"type": "array", "items": _type_of_all(value)}
    if isinstance(value, dict):
        return {"type": "map", "values": _type_of_all(value.values())}
    return _TYPES[type(value)]


def _keys(rows: Iterable[Row]) -> dict[str, None]:
    return dict.fromkeys(name for row in rows for name in row)
