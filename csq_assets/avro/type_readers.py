"""The Avro types, and how a value of each is read: exactly, or not at all.

Values are read as stored; of the logical types only decimals count. What the Avro specification calls
corrupt is refused: a cut value, a branch or symbol that does not exist, a text that is not UTF-8.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

from csq_assets.avro.values import replace_invalid

MORE = 0x80  # of an integer, when set in a byte
LONGEST_LONG = 10  # bytes of an integer, of which the last holds one bit
_MOST_EMPTY_VALUES = 1_000_000  # those that take no bytes, so that no length bounds them
# Of text that the schema gives to values: to those of a row, and for each byte of a block.
_MOST_ADDED_BYTES, _ADDED_BASE, _ADDED_FOR_BYTE = 64 * 1024 * 1024, 64 * 1024, 1_000
_MOST_DECIMAL_BYTES = 1_024  # Python spells no number of more than 4,300 digits


class CorruptValueError(ValueError):
    """The bytes are not a value of the type, or the schema is not one."""


class Cursor:
    """Plain bytes of a block, and how far they have been read.

    With `replaces_text`, sequences that are not UTF-8 become U+FFFD, and `replaced` counts them.
    `added` counts the bytes of text that values took from the schema, and not from these bytes.
    """

    __slots__ = (
        *("_added_left", "_empty_values_left"),
        *("added", "at", "data", "replaced", "replaces_text"),
    )

    def __init__(
        self, data: bytes | bytearray | memoryview, *, replaces_text: bool = False
    ) -> None:
        # Values are taken from bytes faster than from a view of them.
        self.data = bytes(data) if isinstance(data, memoryview) else data
        self.at = 0
        self.replaces_text = replaces_text
        self.replaced = 0
        self.added = 0
        self._added_left = _ADDED_BASE + _ADDED_FOR_BYTE * len(data)
        self._empty_values_left = _MOST_EMPTY_VALUES + len(data)

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, count: int) -> bytes | bytearray:
        start = self.at
        end = start + count
        if count < 0 or end > len(self.data):
            raise CorruptValueError(f"a value of {count} bytes where {self.left} are left")
        self.at = end
        return self.data[start:end]

    def count_empty(self, values: int) -> None:
        """Count values that take no bytes. Raises CorruptValueError where there are too many."""
        self._empty_values_left -= values
        if self._empty_values_left < 0:
            raise CorruptValueError("more values that take no bytes than can be meant")

    def count_added(self, text_bytes: int) -> None:
        """Count text of the schema. Raises CorruptValueError where there is too much."""
        self.added += text_bytes
        self._added_left -= text_bytes
        if self.added > _MOST_ADDED_BYTES or self._added_left < 0:
            raise CorruptValueError("its schema makes more text of the values than can be meant")


Reader = Callable[[Cursor], Any]


@dataclass(frozen=True, slots=True)
class NativeType:
    """A type that Polars reads: `null_branch` is 0 or 1 in a union with null, else None."""

    primitive: str  # `int` is `long` here: they are stored alike, and none is cut to 32 bits
    null_branch: int | None = None

    @property
    def is_nullable(self) -> bool:
        return self.null_branch is not None


@dataclass(slots=True, eq=False)
class AvroType:
    """A type, the fewest bytes that a value of it takes, and how a value is read."""

    shape: Any  # of a primitive its name, else its schema without documentation
    least_bytes: int
    read: Reader
    native: NativeType | None = None
    fields: "Sequence[tuple[str, AvroType]]" = ()  # of a record


def read_long(cursor: Cursor) -> int:
    data, at = cursor.data, cursor.at
    byte = data[at]
    number, shift = byte & 0x7F, 7
    while byte >= MORE and shift < 7 * LONGEST_LONG:
        at += 1
        byte = data[at]
        number |= (byte & 0x7F) << shift
        shift += 7
    cursor.at = at + 1
    if byte >= MORE or number >> 64:
        raise CorruptValueError("an integer of more than 64 bits")
    return (number >> 1) ^ -(number & 1)


def _read_boolean(cursor: Cursor) -> bool:
    byte = cursor.take(1)[0]
    if byte > 1:
        raise CorruptValueError(f"a boolean of {byte}")
    return byte == 1


def _read_bytes(cursor: Cursor) -> bytes:
    return bytes(cursor.take(read_long(cursor)))


def _read_string(cursor: Cursor) -> str:
    stored = cursor.take(read_long(cursor))
    try:
        return str(stored, "utf-8")
    except UnicodeDecodeError:
        if not cursor.replaces_text:
            raise
    text, sequences = replace_invalid(stored)
    cursor.replaced += sequences
    return text


def _read_float(cursor: Cursor) -> float:
    return struct.unpack("<f", cursor.take(4))[0]


def _read_double(cursor: Cursor) -> float:
    return struct.unpack("<d", cursor.take(8))[0]


def read_null(cursor: Cursor) -> None:
    return None


PRIMITIVES = {
    "null": AvroType("null", 0, read_null),
    "boolean": AvroType("boolean", 1, _read_boolean, NativeType("boolean")),
    "int": AvroType("int", 1, read_long, NativeType("long")),
    "long": AvroType("long", 1, read_long, NativeType("long")),
    "float": AvroType("float", 4, _read_float, NativeType("float")),
    "double": AvroType("double", 8, _read_double, NativeType("double")),
    "bytes": AvroType("bytes", 1, _read_bytes),
    "string": AvroType("string", 1, _read_string, NativeType("string")),
}


def union_of(branches: list[AvroType]) -> AvroType:
    least = min((branch.least_bytes for branch in branches), default=0)
    shape = [branch.shape for branch in branches]
    read = _union_reader(tuple(branch.read for branch in branches))
    return AvroType(shape, 1 + least, read, _nullable(branches))


@lru_cache(maxsize=64)  # thousands of columns are read faster by one reader than each by its own
def _union_reader(readers: tuple[Reader, ...]) -> Reader:
    by_byte = {2 * number: read for number, read in enumerate(readers) if 2 * number < MORE}

    def read(cursor: Cursor) -> Any:
        if read_value := by_byte.get(cursor.data[cursor.at]):
            cursor.at += 1
            return read_value(cursor)
        branch = read_long(cursor)
        if not 0 <= branch < len(readers):
            raise CorruptValueError(f"branch {branch} of a union of {len(readers)}")
        return readers[branch](cursor)

    return read


def _nullable(branches: list[AvroType]) -> NativeType | None:
    for null, value in ((0, 1), (1, 0)):
        if len(branches) == 2 and branches[null].shape == "null":  # noqa: PLR2004
            native = branches[value].native
            if native is not None and not native.is_nullable:
                return replace(native, null_branch=null)
    return None


def enum_of(name: str, symbols: list[Any]) -> AvroType:
    def read(cursor: Cursor) -> str:
        symbol = read_long(cursor)
        if not 0 <= symbol < len(symbols):
            raise CorruptValueError(f"symbol {symbol} of an enum of {len(symbols)}")
        cursor.count_added(len(symbols[symbol]))
        return symbols[symbol]

    if not all(isinstance(symbol, str) for symbol in symbols):
        raise CorruptValueError(f'the symbols of "{name}" are no texts')
    return AvroType({"type": "enum", "name": name, "symbols": symbols}, 1, read)


def fixed_of(name: str, size: int) -> AvroType:
    if size < 0:
        raise CorruptValueError(f'the size of "{name}" is {size}')

    def read(cursor: Cursor) -> bytes:
        if size == 0:
            cursor.count_empty(1)
        return bytes(cursor.take(size))

    return AvroType({"type": "fixed", "name": name, "size": size}, size, read)


def record_reader(fields: Sequence[tuple[str, AvroType]]) -> Reader:
    readers = [(name, field.read) for name, field in fields]
    names = sum(len(name) for name, _ in fields)
    empty = sum(field.least_bytes == 0 for _, field in fields)
    if empty == len(fields):
        empty += 1  # for the record itself

    def read(cursor: Cursor) -> dict[str, Any]:
        if empty:
            cursor.count_empty(empty)
        cursor.count_added(names)
        return {name: read_field(cursor) for name, read_field in readers}

    return read


def decimal_of(stored: AvroType, scale: int) -> AvroType:
    """Bytes or fixed that hold a number without its scale, big-endian, in two's complement."""

    def read(cursor: Cursor) -> Decimal:
        unscaled = stored.read(cursor)
        if not 0 < len(unscaled) <= _MOST_DECIMAL_BYTES:
            raise CorruptValueError(f"a decimal of {len(unscaled)} bytes")
        cursor.count_added(scale)
        return Decimal(f"{int.from_bytes(unscaled, signed=True)}e-{scale}")

    return AvroType(stored.shape, stored.least_bytes, read)


def array_of(items: AvroType) -> AvroType:
    def read(cursor: Cursor) -> list[Any]:
        values: list[Any] = []
        while count := _read_count(cursor, items.least_bytes):
            if items.least_bytes == 0:
                cursor.count_empty(count)
            values.extend(items.read(cursor) for _ in range(count))
        return values

    return AvroType({"type": "array", "items": items.shape}, 1, read)


def map_of(values: AvroType) -> AvroType:
    def read(cursor: Cursor) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        while count := _read_count(cursor, 1 + values.least_bytes):
            for _ in range(count):
                key = _read_string(cursor)
                entries[key] = values.read(cursor)
        return entries

    return AvroType({"type": "map", "values": values.shape}, 1, read)


def _read_count(cursor: Cursor, least_bytes: int) -> int:
    count = read_long(cursor)
    if count < 0:  # then the size in bytes follows, for readers who want to skip
        count = -count
        read_long(cursor)
    refuse_absurd_count(count, least_bytes, cursor.left)
    return count


def refuse_absurd_count(count: int, least_bytes: int, available: int) -> None:
    """Raise CorruptValueError where `count` values cannot be in the bytes, before trying."""
    most = available // least_bytes if least_bytes else _MOST_EMPTY_VALUES
    if count > most:
        raise CorruptValueError(f"{count} values where there can be {most} at most")
