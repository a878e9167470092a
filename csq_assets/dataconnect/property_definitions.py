"""The property definitions file: JSON of any shape, kept as delivered."""

import polars as pl

from csq_assets.dataconnect.delivered_json import read_json
from csq_assets.dataconnect.tables import DUMP_ID, SOURCE_FILE, SOURCE_ROW
from csq_assets.errors import FileError


def read_property_definitions(dump_id: int, path: str, body: bytes) -> pl.DataFrame:
    """One row: `document` (String), `_dump_id`, `_source_file`, `_source_row`. Nothing is interpreted.

    Raises FileError where it is not JSON.
    Source: export-format.md, "Property definitions", edge case 79.
    """
    document, _ = read_json(body, lambda wrong: FileError(wrong, where={"file": path}))
    columns = {"document": [document], DUMP_ID: [dump_id], SOURCE_FILE: [path], SOURCE_ROW: [0]}
    return pl.DataFrame(columns)
