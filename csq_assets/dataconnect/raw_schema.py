"""The columns of a raw partition, and the totals of its decoding."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of the files, with its Avro types, sorted.

    A type has its Avro name, `long` or `long(timestamp-millis)`; a compound type is compact JSON.
    Nullability is left out.
    """

    name: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RawSchema:
    """The columns of one table in one dump: those of the manifest, and those of the files."""

    manifest_columns: tuple[str, ...]
    file_columns: tuple[FileColumn, ...] | None  # first seen first; None where there are no files


@dataclass(frozen=True, slots=True)
class ReplacedTexts:
    """Sequences that are not UTF-8, each replaced by U+FFFD: how many, and where first."""

    sequences: int
    files: int
    file: str
    row: int


@dataclass(frozen=True, slots=True)
class DecodeTotals:
    """The totals of decoding one table of one dump."""

    files: int
    rows: int
    bytes_read: int  # packed, as delivered
    key_nulls: dict[str, int]  # rows with null, for each column of the table's key
    replaced: ReplacedTexts | None = None
