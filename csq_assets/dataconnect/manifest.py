"""The manifest: the document that lists a dump's tables and their files."""

import codecs
import json
from collections import Counter
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from csq_assets.dataconnect.delivered_json import refuse_too_many_values
from csq_assets.errors import ManifestError

MAX_DUMP_ID = 2**63 - 1
_SHOWN = 40  # characters of a wrong value


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


_Texts = Annotated[list[str], Field(fail_fast=True)]  # millions of wrong ones are one error


class _Table(BaseModel, strict=True):
    """Null for a list is the empty list, as some writers spell it."""

    name: Annotated[str, Field(min_length=1)]
    incremental: bool
    columns: _Texts | None
    files: _Texts | None
    property_definitions: str | None = None  # the page's own list indents it under a table


class _Document(BaseModel, strict=True):
    dump_id: Annotated[int, Field(ge=0, le=MAX_DUMP_ID)]
    tables: Annotated[list[_Table], Field(fail_fast=True)] | None
    property_definitions: str | None = None


def parse_manifest(body: bytes) -> Manifest:
    """Read a manifest, and refuse at the door what is not one. Unknown fields are ignored.

    Raises ManifestError, naming the field.
    Source: export-format.md, "The manifest", edge cases 8 to 17, 77 and 78.
    """
    refuse_too_many_values(body, ManifestError)
    try:
        document = _Document.model_validate_json(body.removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        raise _explained(error) from None
    tables = document.tables or []
    for name, times in Counter(table.name for table in tables).items():
        if times > 1:
            raise ManifestError(f'table "{name}" is listed twice', where={"field": "tables"})
    definitions = (place.property_definitions for place in (document, *tables))
    dumps = (
        TableDump(
            dump_id=document.dump_id,
            table=table.name,
            incremental=table.incremental,
            columns=tuple(dict.fromkeys(table.columns or ())),
            files=tuple(dict.fromkeys(table.files or ())),
        )
        for table in tables
    )
    return Manifest(document.dump_id, tuple(dumps), next(filter(None, definitions), None))


def _explained(error: ValidationError) -> ManifestError:
    """The first thing that is wrong."""
    wrong = error.errors(include_url=False, include_context=False)[0]
    if wrong["type"] == "json_invalid":
        return ManifestError(wrong["msg"].replace("Invalid JSON", "not JSON"))
    said = "must be an object" if wrong["type"] == "model_type" else wrong["msg"]
    said = said.replace("Input should", "must")
    if wrong["type"] != "missing":
        shown = json.dumps(wrong["input"], ensure_ascii=False)
        said += f", not {shown if len(shown) <= _SHOWN else f'{shown[: _SHOWN - 3]}...'}"
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in wrong["loc"])
    field = "".join(parts).removeprefix(".") or "the document"
    return ManifestError(said[0].lower() + said[1:], where={"field": field})
