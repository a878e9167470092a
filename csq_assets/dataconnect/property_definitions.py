"""The file of property definitions: JSON of any shape, kept as delivered."""

import json

import polars as pl

from csq_assets.dataconnect.tables import DUMP_ID, SOURCE_FILE, SOURCE_ROW
from csq_assets.errors import FileError


def read_property_definitions(dump_id: int, path: str, body: bytes) -> pl.DataFrame:
    """One row: `document` (String), `_dump_id`, `_source_file`, `_source_row`. Nothing is interpreted.

    Raises FileError where it is no JSON.
    Source: export-format.md, "Property definitions", edge case 79.
    """
    try:
        document = body.decode("utf-8")
        json.loads(document)
    except (ValueError, RecursionError) as error:
        raise FileError(f"not JSON: {error}", where={"file": path}) from None
    columns = {"document": [document], DUMP_ID: [dump_id], SOURCE_FILE: [path], SOURCE_ROW: [0]}
    return pl.DataFrame(columns)
