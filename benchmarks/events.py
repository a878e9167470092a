# ruff: noqa: S608 - nothing comes from outside
"""Decoded page views and migrations as Parquet, made by DuckDB: what current tables are made of."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from csq_assets.warehouse.partition_files import DumpContent

INCREMENT = 500_000
_TEXTS = ("time", *(f"property_{number}" for number in range(1, 19)))


@dataclass(frozen=True, slots=True)
class History:
    """A history of so many events, and what comes after it: an increment, and migrations of users.

    Everything is in `folder`. A tenth of the increment has keys that are there already.
    """

    folder: Path
    rows: int
    increment: int = INCREMENT

    @property
    def replaced(self) -> int:
        return self.increment // 10

    @property
    def moved_users(self) -> int:
        return self.increment // 50

    def make(self) -> "History":
        self.folder.mkdir(parents=True)
        self._make_events("history", 0, self.rows, dump_id=1)
        first = self.rows - self.replaced
        self._make_events("increment", first, first + self.increment, dump_id=2)
        start, end = self._user("i * 13"), self._user("i * 17 + 5")
        self._copy(
            f"SELECT ({start})::VARCHAR AS from_user_id, ({end})::VARCHAR AS to_user_id, "
            f"2::BIGINT AS _dump_id FROM range({self.moved_users}) AS made(i)",
            "migrations",
        )
        return self

    def dump(self, name: str, dump_id: int) -> DumpContent:
        """`history`, `increment` or `migrations`, as the lake gives it."""
        path = self.file(name)
        columns = pl.scan_parquet(path).collect_schema().names()
        delivered = tuple(column for column in columns if not column.startswith("_"))
        return DumpContent(dump_id, name, lambda: delivered, lambda: nullcontext(path))

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.parquet"

    def _make_events(self, name: str, start: int, stop: int, *, dump_id: int) -> None:
        """Ids are spread over 52 bits, so that no zone map helps; columns are like page views'."""
        properties = ", ".join(
            f"'value ' || (hash(i * {place}) % {10 ** (place % 5 + 1)})::VARCHAR AS {name}"
            for place, name in enumerate(_TEXTS[1:], start=2)
        )
        self._copy(
            f"SELECT {self._user('i')} AS user_id, (hash(i * 7 + 1) >> 12)::BIGINT AS event_id, "
            "(hash(i // 8) >> 12)::BIGINT AS session_id, "
            "strftime(TIMESTAMP '2026-01-01' + to_seconds(i // 2), '%Y-%m-%d %H:%M:%S') AS time, "
            f"{properties}, {dump_id}::BIGINT AS _dump_id, 's3://customer/x.avro' AS _source_file, "
            f"i::BIGINT AS _source_row FROM range({start}, {stop}) AS made(i)",
            name,
        )

    def _user(self, number: str) -> str:
        return f"(hash(hash({number}) % {self.rows // 20}) >> 12)::BIGINT"

    def _copy(self, rows: str, name: str) -> None:
        with duckdb.connect() as connection:
            connection.execute("SET preserve_insertion_order = false; SET memory_limit = '2GB'")
            connection.execute(
                f"COPY ({rows}) TO '{self.file(name)}' (FORMAT parquet, COMPRESSION zstd)"
            )
