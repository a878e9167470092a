"""The schema in the header of an Avro file: the record that its rows are."""

import json
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from csq_assets.avro.type_parser import TypeParser
from csq_assets.avro.type_readers import AvroType, NativeType
from csq_assets.errors import FileError


@dataclass(frozen=True, slots=True, eq=False)
class RecordSchema:
    """The columns of a file, in its order, and their types."""

    columns: tuple[str, ...]
    types: tuple[AvroType, ...]
    type_names: tuple[str, ...]  # as Avro calls them; whether null is allowed is left out
    least_bytes: int  # that a row takes
    native: tuple[NativeType, ...] | None  # None where Polars cannot read the rows

    def reads_like(self, other: "RecordSchema") -> bool:
        """Whether rows of both may be read together, natively."""
        return self is other or (
            self.native is not None
            and self.native == other.native
            and self.columns == other.columns
        )


@lru_cache(maxsize=64)  # the files of a table mostly share one
def parse_schema(text: bytes) -> RecordSchema:
    """Parse a file's schema. Raises FileError where it is invalid, or not that of a record."""
    try:
        document = json.loads(text)
        json.dumps(document, ensure_ascii=False).encode()  # half of a surrogate pair is not a text
        if not isinstance(document, dict) or document.get("type") != "record":
            raise FileError("its schema is not that of a record")
        return _schema_of(TypeParser().parse(document))
    except (ValueError, RecursionError) as error:
        raise FileError(f"its schema cannot be read: {error}") from None


def _schema_of(record: AvroType) -> RecordSchema:
    columns = tuple(name for name, _ in record.fields)
    for column, count in Counter(columns).items():
        if count > 1:
            raise FileError(f'its schema names the field "{column}" {count} times')
    types = tuple(field for _, field in record.fields)
    natives = tuple(field.native for field in types if field.native is not None)
    return RecordSchema(
        columns=columns,
        types=types,
        type_names=tuple(_type_name(field.shape) for field in types),
        least_bytes=record.least_bytes,
        native=natives if natives and len(natives) == len(columns) else None,
    )


def _type_name(shape: Any) -> str:
    """`long`, `long(timestamp-millis)`, or the schema as compact JSON, the same for equals."""
    if isinstance(shape, str):
        return shape
    if isinstance(shape, list):
        shape = sorted(_type_name(branch) for branch in shape if branch != "null") or ["null"]
        if len(shape) == 1:
            return shape[0]
    return json.dumps(shape, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
