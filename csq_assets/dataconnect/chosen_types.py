"""Types that somebody chose for columns: a TOML document, `[table]` and below it `column = "TYPE"`."""

import tomllib
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from csq_assets.dataconnect.column_types import ColumnType, Pins, TablePins
from csq_assets.dataconnect.tables import BUILT_IN_TABLES, DUMP_ID, ID_COLUMNS, RAW_USER_ID
from csq_assets.errors import SettingsError

_EXAMPLE = 'Write for example [purchase], and below it price = "DOUBLE".'
_TYPES = f"Write one of {', '.join(ColumnType)}."
_OF_INTEGERS = (*ID_COLUMNS, DUMP_ID, RAW_USER_ID)


@dataclass(frozen=True, slots=True)
class ChosenTypes:
    """`pins` are the types; `text` is the document in `file`."""

    pins: TablePins = field(default_factory=dict[str, Pins])
    file: str = ""
    text: str = ""

    def refuse_unknown(self, tables: Collection[str]) -> None:
        """Raise SettingsError for a table that is not among these, and not built in."""
        for table in self.pins:
            if table not in tables and table not in BUILT_IN_TABLES:
                raise _wrong(
                    self.file,
                    f'there is no table "{table}"',
                    "csq status lists the tables; write its name as there.",
                    _line_of(self.text, table),
                )


def parse_chosen_types(text: str, file: str) -> ChosenTypes:
    """Read the document. Raises SettingsError, naming the line, where it is no TOML, names a type that
    does not exist, or a column that is an id."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said, _, place = str(error).partition(" (at line ")
        line = int(place.partition(",")[0]) if place else text.count("\n") + 1
        raise _wrong(file, f"it is not TOML: {said}", _EXAMPLE, line) from None
    pins: dict[str, Pins] = {}
    for table, columns in document.items():
        if not isinstance(columns, dict):
            message = f'"{table}" is in no table'
            raise _wrong(file, message, _EXAMPLE, _line_of(text, table))
        chosen: dict[str, ColumnType] = {}
        for column, kind in columns.items():
            line = _line_of(text, table, column)
            if column in _OF_INTEGERS:
                message = f'"{column}" of table "{table}" is always BIGINT'
                raise _wrong(file, message, "Take it out.", line)
            if not isinstance(kind, str) or kind.upper() not in ColumnType.__members__:
                message = f'{kind!r} of column "{column}" of table "{table}" is not a type'
                raise _wrong(file, message, _TYPES, line)
            chosen[column] = ColumnType(kind.upper())
        if chosen:
            pins[table] = chosen
    return ChosenTypes(pins, file, text)


def _line_of(text: str, *path: str) -> int:
    """The line that brings the key: with it, the document has it for the first time."""
    lines = text.splitlines(keepends=True)
    for line in range(1, len(lines)):
        with suppress(tomllib.TOMLDecodeError, KeyError, TypeError):
            found: Any = tomllib.loads("".join(lines[:line]))
            for key in path:
                found = found[key]
            return line
    return len(lines)


def _wrong(file: str, message: str, remedy: str, line: int) -> SettingsError:
    where = {"setting": "CSQ_TYPES", "file": file, "line": line}
    return SettingsError(message, where=where, remedy=remedy)
