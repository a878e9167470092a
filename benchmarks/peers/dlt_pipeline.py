"""dlt loads every table of a dump into DuckDB: FOLDER OUT arrow|dictionaries.

FOLDER is that of the dump, with a folder for each table; OUT is the DuckDB file.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dlt  # pyright: ignore[reportMissingImports] - in an environment of its own

folder, out, way = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]


def read_arrow(path: Path) -> Iterator[Any]:
    import polars as pl  # noqa: PLC0415 - whole processes are measured: each imports its own

    yield pl.read_avro(path).to_arrow(compat_level=pl.CompatLevel.oldest())


def read_dictionaries(path: Path) -> Iterator[Any]:
    import fastavro  # noqa: PLC0415

    with path.open("rb") as file:
        yield from fastavro.reader(file)


def columns_of(path: Path) -> dict[str, Any]:
    """Texts stay texts, as all the others leave them."""
    import fastavro  # noqa: PLC0415

    with path.open("rb") as file:
        schema: Any = fastavro.reader(file).writer_schema
    types = {"long": "bigint", "string": "text"}
    return {field["name"]: {"data_type": types[field["type"][1]]} for field in schema["fields"]}


def resource_of(table: Path, read: Callable[[Path], Iterator[Any]]) -> Any:
    files = sorted(table.glob("*.avro"))

    def rows() -> Iterator[Any]:
        for path in files:
            yield from read(path)

    columns = columns_of(files[0]) if read is read_dictionaries else None
    return dlt.resource(rows, name=table.name, columns=columns, write_disposition="append")


pipeline = dlt.pipeline(
    "bench",
    pipelines_dir=str(out.parent / "pipelines"),
    destination=dlt.destinations.duckdb(str(out)),
    dataset_name="bench",
)
reader = {"arrow": read_arrow, "dictionaries": read_dictionaries}[way]
tables = sorted(table for table in folder.iterdir() if table.is_dir())
# Not the INSERT statements that dlt would write of dictionaries: DuckDB takes four times as long.
pipeline.run([resource_of(table, reader) for table in tables], loader_file_format="parquet")
