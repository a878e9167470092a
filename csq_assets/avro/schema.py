"""The schema in the header of an Avro file: the record that its rows are."""

import json
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from csq_assets.avro.type_parser import TypeParser
from csq_assets.avro.type_readers import AvroType, Reader, record_reader
from csq_assets.errors import FileError

NATIVE_TYPES = ("long", "int", "float", "double", "boolean", "string")


@dataclass(frozen=True, slots=True)
class NativeType:
    """A type that Polars reads: `null_branch` is 0 or 1 in a union with null, else None."""

    primitive: str  # `int` is `long` here: they are stored alike, and none is cut to 32 bits
    null_branch: int | None

    @property
    def is_nullable(self) -> bool:
        return self.null_branch is not None


@dataclass(frozen=True, slots=True, eq=False)
class AvroField:
    """A column of a file."""

    name: str
    type_name: str  # as Avro calls it; whether null is allowed is left out
    read: Reader
    native: NativeType | None


@dataclass(frozen=True, slots=True, eq=False)
class RecordSchema:
    """The columns of a file, in its order."""

    fields: tuple[AvroField, ...]
    columns: tuple[str, ...]
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
        return _record(document)
    except (ValueError, RecursionError) as error:
        raise FileError(f"its schema cannot be read: {error}") from None


def _record(document: Any) -> RecordSchema:
    if not isinstance(document, dict) or document.get("type") != "record":
        raise FileError("its schema is not that of a record")
    parser = TypeParser()
    record, entries, namespace = parser.enter_record(document, "")
    types = [(entry, parser.parse(_type_of(entry), namespace)) for entry in entries]
    fields = tuple(_field(entry, avro_type) for entry, avro_type in types)
    columns = tuple(field.name for field in fields)
    for column, count in Counter(columns).items():
        if count > 1:
            raise FileError(f'its schema names the field "{column}" {count} times')
    record.read = record_reader([(entry["name"], avro_type) for entry, avro_type in types])
    natives = tuple(field.native for field in fields if field.native is not None)
    return RecordSchema(
        fields=fields,
        columns=columns,
        least_bytes=sum(avro_type.least_bytes for _, avro_type in types),
        native=natives if natives and len(natives) == len(fields) else None,
    )


def _type_of(entry: Any) -> Any:
    if not isinstance(entry, dict) or "type" not in entry or not isinstance(entry.get("name"), str):
        raise FileError(f"its schema has an invalid field: {str(entry)[:60]}")
    return entry["type"]


def _field(entry: dict[str, Any], avro_type: AvroType) -> AvroField:
    declared = entry["type"]
    return AvroField(entry["name"], _type_name(avro_type), avro_type.read, _native(declared))


def _type_name(avro_type: AvroType) -> str:
    shape = avro_type.shape
    if not isinstance(shape, list):
        return avro_type.name
    branches = [AvroType(branch, 0, avro_type.read).name for branch in shape if branch != "null"]
    if len(branches) == 1:
        return branches[0]
    return json.dumps(sorted(branches), separators=(",", ":")) if branches else "null"


def _native(declared: Any) -> NativeType | None:
    if isinstance(declared, list):
        if len(declared) != len(("null", "value")) or declared.count("null") != 1:
            return None
        null_branch = declared.index("null")
        inner = _native(declared[1 - null_branch])
        return (
            None
            if inner is None or inner.null_branch is not None
            else NativeType(inner.primitive, null_branch)
        )
    if isinstance(declared, dict):  # {"type": "long", "logicalType": "timestamp-millis"}
        return None if isinstance(declared.get("type"), list) else _native(declared.get("type"))
    if declared not in NATIVE_TYPES:
        return None
    return NativeType("long" if declared == "int" else declared, None)
