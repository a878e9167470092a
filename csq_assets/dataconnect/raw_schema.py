"""What the columns of a raw partition are, and what was met while it was decoded."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column that the files bring, with the Avro types that it has in them, sorted.

    A type is called as Avro calls it, `long` or `long(timestamp-millis)`, or is compact JSON where
    it is made of others. Whether null is allowed is left out.
    """

    name: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RawSchema:
    """The columns of one table in one dump: as the manifest lists them, and as the files do."""

    manifest_columns: tuple[str, ...]
    file_columns: tuple[FileColumn, ...] | None  # first seen first; None where there are no files

    def to_json(self) -> str:
        columns = self.file_columns
        document = {
            "manifest_columns": self.manifest_columns,
            "file_columns": columns and [[column.name, column.types] for column in columns],
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "RawSchema":
        document = json.loads(text)
        columns = document["file_columns"]
        return cls(
            manifest_columns=tuple(document["manifest_columns"]),
            file_columns=None
            if columns is None
            else tuple(FileColumn(name, tuple(types)) for name, types in columns),
        )


@dataclass(frozen=True, slots=True)
class DecodeTotals:
    """What decoding one table of one dump has come to."""

    files: int
    rows: int
    bytes_read: int  # packed, as delivered
    key_nulls: dict[str, int]  # rows with null, for each column of the table's key
