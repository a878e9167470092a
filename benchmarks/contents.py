"""Whether contestants wrote the same rows, whatever their order and their format."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.made_up import column_names, made_rows
from benchmarks.measure import FailedError

_SLICE_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Contents:
    """The number of rows, and for each column the sum over its values' hashes, as texts."""

    rows: int
    checksums: Mapping[str, int]


def write_made_rows(folder: Path, table: str, rows: int, *, seed: int) -> Path:
    """What is delivered, as Parquet files that no contestant had a part in. Gives the folder."""
    folder.mkdir(parents=True)
    for start in range(0, rows, _SLICE_ROWS):
        made = made_rows(table, start, min(start + _SLICE_ROWS, rows), seed)
        made.write_parquet(folder / f"{start:012}.parquet")
    return folder


def parquet_contents(path: Path, table: str, *, rows: int | None = None) -> Contents:
    """Of a file or a folder of files; of its first `rows` rows alone."""
    files = str(path / "*.parquet" if path.is_dir() else path)
    first = "" if rows is None else f" LIMIT {rows}"
    return _contents(f"(FROM read_parquet('{files}'){first})", _as_they_are(table))


def duckdb_contents(file: Path, relation: str, columns: Mapping[str, str]) -> Contents:
    """Of a relation of a DuckDB file. `columns` says how it calls each column of the table."""
    return _contents(relation, columns, database=file)


def jsonl_contents(file: Path, table: str) -> Contents:
    """Of a file with one JSON object a line."""
    types = ", ".join(f"{name}: 'VARCHAR'" for name in column_names(table))
    source = f"read_json('{file}', format = 'newline_delimited', columns = {{{types}}})"
    return _contents(source, _as_they_are(table))


def require_same(wanted: Contents, found: Mapping[str, Contents]) -> None:
    """Raises FailedError with the contestant whose rows are others, and where they differ."""
    for name, contents in found.items():
        if contents.rows != wanted.rows:
            raise FailedError(f"{name} wrote {contents.rows:,} rows of {wanted.rows:,}")
        if other := _differing(wanted, contents):
            raise FailedError(f"{name} wrote other values in {', '.join(other)}")


def _differing(one: Contents, other: Contents) -> Iterable[str]:
    return [name for name in one.checksums if one.checksums[name] != other.checksums[name]]


def _as_they_are(table: str) -> Mapping[str, str]:
    return {name: name for name in column_names(table)}


def _contents(source: str, columns: Mapping[str, str], *, database: Path | None = None) -> Contents:
    sums = ", ".join(
        f'coalesce(sum(hash("{called}"::VARCHAR)::HUGEINT), 0)' for called in columns.values()
    )
    with duckdb.connect(str(database or ":memory:"), read_only=database is not None) as connection:
        connection.execute("SET memory_limit = '2GB'")
        row = connection.execute(f"SELECT count(*), {sums} FROM {source}").fetchone()  # noqa: S608
    assert row is not None
    return Contents(row[0], dict(zip(columns, row[1:], strict=True)))
