"""All that the files of a folder say: their bytes, and what formats pack so that bytes hide it."""

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import duckdb
import polars as pl

_SQLITE = b"SQLite format 3\0"


def kept_text(folder: Path) -> str:
    """Of the folder and all below it. What is damaged has its bytes alone."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return "\n".join(line for path in paths for line in _lines(path))


def _lines(path: Path) -> Iterator[str]:
    yield str(path)
    body = path.read_bytes()
    yield body.decode("latin-1")
    if path.suffix == ".parquet":
        yield str(pl.read_parquet(path).rows())
    elif path.suffix == ".duckdb":
        with suppress(duckdb.Error):
            yield from _rows_of_duckdb(path)
    elif body.startswith(_SQLITE):  # a text that lies on two pages shows in neither
        yield from _cells_of_sqlite(path)


def _rows_of_duckdb(path: Path) -> Iterator[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        for (name,) in connection.execute(
            'SELECT format(\'"{}"."{}"\', schema_name, table_name) FROM duckdb_tables()'
        ).fetchall():
            yield str(connection.table(name).fetchall())


def _cells_of_sqlite(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608
                yield from map(_cell, row)


def _cell(value: object) -> str:
    """Dagster packs its definitions of jobs."""
    if isinstance(value, bytes):
        with suppress(zlib.error):
            return zlib.decompress(value).decode("latin-1")
    return str(value)
