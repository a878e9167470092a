"""Avro put together by hand, for what no writer writes: damage, and codecs that are not installed."""

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import fastavro

SYNC = bytes(range(100, 116))


def record(**fields: Any) -> dict[str, Any]:
    """The schema of a record with these fields."""
    entries = [{"name": name, "type": declared} for name, declared in fields.items()]
    return {"type": "record", "name": "row", "fields": entries}


def long(number: int) -> bytes:
    """An integer as Avro stores it."""
    body = BytesIO()
    fastavro.schemaless_writer(body, "long", number)
    return body.getvalue()


def text(value: str | bytes) -> bytes:
    """A text, or bytes, as Avro stores it."""
    data = value.encode() if isinstance(value, str) else value
    return long(len(data)) + data


def plain_rows(schema: dict[str, Any], rows: Sequence[dict[str, Any]]) -> bytes:
    """Rows as Avro stores them, without a container."""
    body = BytesIO()
    for row in rows:
        fastavro.schemaless_writer(body, schema, row)
    return body.getvalue()


def header(schema: Any, codec: str = "null") -> bytes:
    """The header of a container. `schema` may be a text that is none."""
    spelled = schema if isinstance(schema, str) else json.dumps(schema)
    metadata = text("avro.schema") + text(spelled) + text("avro.codec") + text(codec)
    return b"Obj\x01" + long(2) + metadata + long(0) + SYNC


def block(rows: int, packed: bytes) -> bytes:
    """A block of a container, as it claims to be."""
    return long(rows) + long(len(packed)) + packed + SYNC
