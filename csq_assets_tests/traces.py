"""Looks for ids wherever a platform keeps anything: by value where a format allows, else by bytes."""

from collections.abc import Collection, Iterator
from pathlib import Path

import duckdb
import polars as pl

from csq_assets_tests.platform import Platform


def traces(platform: Platform, ids: Collection[int]) -> set[str]:
    """Where one of the ids is: objects of the lake, tables of DuckDB files, files beside those, and
    published files."""
    found = set(in_lake(platform, ids))
    settings = platform.settings
    for path in Path(settings.publish_url or "/nowhere").rglob("*"):
        in_parquet = path.suffix == ".parquet" and _in_frame(pl.read_parquet(path), ids)
        if in_parquet or _has_bytes(path, ids):
            found.add(str(path))
    for file in {settings.duckdb_path, settings.snapshot_path} - {None}:
        if file is not None and file.exists():
            found |= set(in_duckdb(file, ids))
            found |= {str(path) for path in file.parent.iterdir() if _has_bytes(path, ids)}
    return found


def in_lake(platform: Platform, ids: Collection[int]) -> Iterator[str]:
    """The objects of the lake that hold one of the ids."""
    objects = platform.lake.store.objects
    for found in objects.list(""):
        if found.key.endswith(".parquet"):
            with objects.local_copy(found.key) as path:
                if _in_frame(pl.read_parquet(path), ids):
                    yield found.key
        elif _mentions(objects.read(found.key), ids):
            yield found.key


def _in_frame(frame: pl.DataFrame, ids: Collection[int]) -> bool:
    values = {str(value) for column in frame for value in column.unique()}
    return bool(values & set(map(str, ids)))


def in_duckdb(file: Path, ids: Collection[int]) -> Iterator[str]:
    """The columns of a DuckDB file that hold one of the ids."""
    with duckdb.connect(str(file), read_only=True) as connection:
        columns = connection.execute(
            "SELECT schema_name, table_name, column_name FROM duckdb_columns() "
            "WHERE database_name = current_database() AND NOT internal"
        ).fetchall()
        for schema, table, column in columns:
            rows = connection.execute(
                f'SELECT 1 FROM "{schema}"."{table}" WHERE "{column}"::VARCHAR IN '  # noqa: S608
                "(SELECT unnest(?::VARCHAR[])) LIMIT 1",
                [list(map(str, ids))],
            ).fetchall()
            if rows:
                yield f"{file.name}: {schema}.{table}.{column}"


def _has_bytes(path: Path, ids: Collection[int]) -> bool:
    if not path.is_file():
        return False
    body = path.read_bytes()
    packed = (user_id.to_bytes(8, "little", signed=True) for user_id in ids)
    return _mentions(body, ids) or any(one in body for one in packed)


def _mentions(body: bytes, ids: Collection[int]) -> bool:
    return any(str(user_id).encode() in body for user_id in ids)
