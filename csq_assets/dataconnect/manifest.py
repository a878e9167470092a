"""The manifest: the document that lists a dump's tables and their files."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from csq_assets.dataconnect.delivered_json import read_json
from csq_assets.errors import ManifestError

MAX_DUMP_ID = 2**63 - 1
MAX_BYTES = 64 * 1024 * 1024
_SHOWN = 40  # characters of a wrong value
# JSON can escape half a surrogate pair, which no path, no name and no database takes.
_HALF_PAIR = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class TableDump:
    """One table of one dump, as its manifest lists it."""

    dump_id: int
    table: str
    incremental: bool
    columns: tuple[str, ...]  # as delivered, in order, each name once
    files: tuple[str, ...]  # full paths, in order, each path once


@dataclass(frozen=True, slots=True)
class Manifest:
    """One dump. `property_definitions` is the path of its definitions file, if it has one."""

    dump_id: int
    tables: tuple[TableDump, ...]
    property_definitions: str | None = None

    def table(self, name: str) -> TableDump | None:
        return next((dump for dump in self.tables if dump.table == name), None)


def parse_manifest(body: bytes) -> Manifest:
    """Read a manifest, and refuse at the door what is not one. Unknown fields are ignored.

    Raises ManifestError, naming the field.
    Source: export-format.md, "The manifest", edge cases 8 to 17, 77 and 78.
    """
    if len(body) > MAX_BYTES:
        raise ManifestError(f"it has {len(body):,} bytes; the most is {MAX_BYTES:,}")
    document = _as_object(read_json(body, ManifestError)[1], "the document")
    dump_id = document.get("dump_id")
    if isinstance(dump_id, bool) or not isinstance(dump_id, int):
        raise _wrong("dump_id", f"an integer from 0 to 2^63-1, not {_shown(dump_id)}")
    if not 0 <= dump_id <= MAX_DUMP_ID:
        raise _wrong("dump_id", f"an integer from 0 to 2^63-1, not {dump_id}")
    entries = _list_in(document, "tables", "tables")
    tables = tuple(
        _parse_table(dump_id, entry, f"tables[{index}]") for index, entry in enumerate(entries)
    )
    names = [dump.table for dump in tables]
    for name, times in Counter(names).items():
        if times > 1:
            raise ManifestError(f'table "{name}" is listed twice', where={"field": "tables"})
    return Manifest(dump_id, tables, _find_definitions(document, entries))


def _parse_table(dump_id: int, entry: Any, field: str) -> TableDump:
    table = _as_object(entry, field)
    name = _as_text(table.get("name"), f"{field}.name")
    if not name:
        raise _wrong(f"{field}.name", "a name, not an empty text")
    incremental = table.get("incremental")
    if not isinstance(incremental, bool):
        raise _wrong(f"{field}.incremental", f"true or false, not {_shown(incremental)}")
    return TableDump(
        dump_id=dump_id,
        table=name,
        incremental=incremental,
        columns=_texts(table, "columns", field),
        files=_texts(table, "files", field),
    )


def _find_definitions(document: dict[str, Any], entries: list[Any]) -> str | None:
    """At top level first; the page's own list indents the field under a table."""
    places = [("property_definitions", document)]
    places += [(f"tables[{at}].property_definitions", entry) for at, entry in enumerate(entries)]
    for field, place in places:
        if (path := place.get("property_definitions")) not in (None, ""):
            return _as_text(path, field)
    return None


def _as_object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(field, f"an object, not {_shown(value)}")
    return value


def _list_in(place: dict[str, Any], key: str, field: str) -> list[Any]:
    """The list under `key`; null is the empty list, as some writers spell it."""
    value = place.get(key)
    if value is None and key in place:
        return []
    if not isinstance(value, list):
        raise _wrong(field, f"an array, not {_shown(value)}")
    return value


def _as_text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise _wrong(field, f"a text, not {_shown(value)}")
    if _HALF_PAIR.search(value):
        raise _wrong(field, f"a text in Unicode, not {_shown(value)}")
    return value


def _texts(table: dict[str, Any], key: str, place: str) -> tuple[str, ...]:
    field = f"{place}.{key}"
    items = _list_in(table, key, field)
    texts = (_as_text(item, f"{field}[{index}]") for index, item in enumerate(items))
    return tuple(dict.fromkeys(texts))


def _wrong(field: str, wanted: str) -> ManifestError:
    return ManifestError(f"must be {wanted}", where={"field": field})


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
