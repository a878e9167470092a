"""The types that a schema declares: primitive, compound, or defined before."""

from dataclasses import replace
from typing import Any

from csq_assets.avro.type_readers import (
    PRIMITIVES,
    AvroType,
    CorruptValueError,
    Cursor,
    array_of,
    decimal_of,
    enum_of,
    fixed_of,
    map_of,
    record_reader,
    union_of,
)


class TypeParser:
    """Parses the types of one schema, and knows the names that it has defined so far.

    Raises ValueError (CorruptValueError is one) where the schema is invalid.
    """

    def __init__(self) -> None:
        self._named: dict[str, AvroType] = {}

    def parse(self, schema: Any, namespace: str = "") -> AvroType:
        if isinstance(schema, str):
            return self._primitive_or_named(schema, namespace, {})
        if isinstance(schema, list):
            return union_of([self.parse(branch, namespace) for branch in schema])
        kind = _part(schema, "type", (str, list, dict))
        if not isinstance(kind, str):
            return self.parse(kind, namespace)
        return self._parse_kind(kind, schema, namespace)

    def _parse_kind(self, kind: str, schema: Any, namespace: str) -> AvroType:
        if kind == "array":
            return array_of(self.parse(_part(schema, "items"), namespace))
        if kind == "map":
            return map_of(self.parse(_part(schema, "values"), namespace))
        if kind in ("record", "error", "enum", "fixed"):
            return self._named_type(kind, schema, namespace)
        return self._primitive_or_named(kind, namespace, schema)

    def _primitive_or_named(self, name: str, namespace: str, schema: dict[str, Any]) -> AvroType:
        if name in PRIMITIVES:
            made = PRIMITIVES[name]
            if logical := _logical(schema):
                made = replace(made, shape=name + logical)
            return _decimal(made, schema) if name == "bytes" else made
        for full in (f"{namespace}.{name}", name):
            if (known := self._named.get(full)) is not None:
                return _reference(full, known)
        raise CorruptValueError(f'the type "{name}" is unknown')

    def _named_type(self, kind: str, schema: Any, namespace: str) -> AvroType:
        if kind in ("record", "error"):
            return self._record(schema, namespace)
        name, _ = _full_name(schema, namespace)
        if kind == "enum":
            made = enum_of(name, _part(schema, "symbols", (list,)))
        else:
            made = fixed_of(name + _logical(schema), _part(schema, "size", (int,)))
            made = _decimal(made, schema)
        self._named[name] = made
        return made

    def _record(self, schema: Any, namespace: str) -> AvroType:
        name, inner = _full_name(schema, namespace)
        # Its name is defined before its fields are parsed, which may use it.
        record = self._named[name] = AvroType(name, 0, _unready)
        fields = [
            (_part(entry, "name", (str,)), self.parse(_part(entry, "type"), inner))
            for entry in _part(schema, "fields", (list,))
        ]
        record.least_bytes = sum(field.least_bytes for _, field in fields)
        record.read = record_reader(fields)
        shapes = [{"name": name, "type": field.shape} for name, field in fields]
        return replace(
            record, shape={"type": "record", "name": name, "fields": shapes}, fields=fields
        )


def _reference(name: str, known: AvroType) -> AvroType:
    def read(cursor: Cursor) -> Any:
        return known.read(cursor)  # looked up late: inside a record, its reader is yet to come

    return AvroType(name, known.least_bytes, read)


def _logical(schema: dict[str, Any]) -> str:
    logical = schema.get("logicalType")
    if not isinstance(logical, str):
        return ""
    if "precision" in schema:
        logical += f"({schema['precision']},{schema.get('scale', 0)})"
    return f"({logical})"


def _decimal(stored: AvroType, schema: dict[str, Any]) -> AvroType:
    """The stored type where the schema does not declare a decimal as Avro defines it."""
    precision, scale = schema.get("precision"), schema.get("scale", 0)
    if (
        schema.get("logicalType") != "decimal"
        or type(precision) is not int
        or type(scale) is not int
    ):
        return stored
    return decimal_of(stored, scale) if 0 <= scale <= precision and precision > 0 else stored


def _full_name(schema: Any, namespace: str) -> tuple[str, str]:
    """A named type's whole name, and the namespace that holds inside it."""
    name = _part(schema, "name", (str,))
    if "." not in name and (space := schema.get("namespace", namespace)):
        name = f"{space}.{name}"
    return name, name.rpartition(".")[0]


def _part(schema: Any, key: str, kinds: tuple[type, ...] = (str, list, dict)) -> Any:
    if not isinstance(schema, dict) or not isinstance(schema.get(key), kinds):
        raise CorruptValueError(f'"{key}" is missing or wrong in {str(schema)[:60]}')
    return schema[key]


def _unready(cursor: Cursor) -> Any:
    raise CorruptValueError("a type that is not defined yet")
