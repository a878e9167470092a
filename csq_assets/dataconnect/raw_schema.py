"""The columns of a raw partition, and the totals of its decoding."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of the files, with its Avro types, sorted.

    A type has its Avro name, `long` or `long(timestamp-millis)`; a compound type is compact JSON.
    Nullability is left out. `respelled` are spellings that differ from the manifest's in case, with
    the number of files that have each.
    """

    name: str
    types: tuple[str, ...]
    files: int = 0  # that have it
    respelled: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class RawSchema:
    """The columns of one table in one dump: those of the manifest, and those of the files. Settings
    may drop some, which are in neither, and hash the values of others."""

    manifest_columns: tuple[str, ...]
    file_columns: tuple[FileColumn, ...] | None  # first seen first; None where there are no files
    files: int = 0
    dropped: tuple[str, ...] = ()
    hashed: tuple[str, ...] = ()

    @property
    def lacking(self) -> dict[str, int]:
        """The manifest's columns that files lack, with the number of these files."""
        if self.file_columns is None:
            return {}
        have = {column.name: column.files for column in self.file_columns}
        lacks = {name: self.files - have.get(name, 0) for name in self.manifest_columns}
        return {name: files for name, files in lacks.items() if files or name not in have}

    @property
    def extra(self) -> dict[str, int]:
        """The files' columns that the manifest does not list, with the number of these files."""
        listed = set(self.manifest_columns)
        return {one.name: one.files for one in self.file_columns or () if one.name not in listed}

    @property
    def respelled(self) -> dict[str, tuple[tuple[str, int], ...]]:
        return {one.name: one.respelled for one in self.file_columns or () if one.respelled}


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
    forgotten: int = 0  # rows of users who were forgotten, beside `rows`
