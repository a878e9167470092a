"""A year of daily dumps as Parquet, as the lake would give them: page views, users, migrations."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from benchmarks.made_up import column_names, made_rows
from csq_assets.warehouse.partition_files import DumpContent

PAGE_VIEWS, USERS, MIGRATIONS = 20_000, 1_000, 200
_SOME = USERS // 2
_AGAIN_SEED = 1_000


@dataclass(frozen=True, slots=True)
class Year:
    """So many days, each with page views, users, and all migrations so far.

    Half of the users of a day are those that come every day, the others are new. Half way through,
    the users come as a full resync; late in the year an old day of page views is delivered again.
    """

    folder: Path
    days: int

    @property
    def resync_day(self) -> int:
        return self.days // 2

    @property
    def old_day(self) -> int:
        return self.days // 4

    def make(self) -> "Year":
        self.folder.mkdir(parents=True)
        for day in range(1, self.days + 1):
            _write(made_rows("pageviews", 0, PAGE_VIEWS, day), self._file("pageviews", day), day)
            _write(self._users(day), self._file("users", day), day)
        again = made_rows("pageviews", 0, PAGE_VIEWS, _AGAIN_SEED)
        _write(again, self._file("pageviews", self.old_day, "again"), self.old_day)
        pairs = made_rows("user_migrations", 0, MIGRATIONS * self.days, 1)
        # Its ids are no key, so they are texts in the lake.
        _write(pairs.cast({"from_user_id": pl.String, "to_user_id": pl.String}), self._pairs, 0)
        return self

    def migrations(self, day: int) -> DumpContent:
        """All of them, up to this day."""
        return DumpContent(
            day,
            "first",
            lambda: column_names("user_migrations"),
            lambda: self._pairs_until(day),
        )

    def in_force(self, table: str, day: int, *, again: bool) -> Iterator[DumpContent]:
        """The dumps of the table that count on this day. `again`: the old day has come once more."""
        start = self.resync_day if table == "users" and day >= self.resync_day else 1
        for one in range(start, day + 1):
            replaced = again and table == "pageviews" and one == self.old_day
            yield self._dump(table, one, "again" if replaced else "first")

    def _dump(self, table: str, day: int, content: str) -> DumpContent:
        path = self._file(table, day, content)
        return DumpContent(day, content, lambda: column_names(table), lambda: nullcontext(path))

    def _users(self, day: int) -> pl.DataFrame:
        so_far = _SOME * (day + 1)
        if day == self.resync_day:
            return made_rows("users", 0, so_far, day)
        every_day, new = (0, _SOME), (so_far - _SOME, so_far)
        return pl.concat([made_rows("users", *rows, day) for rows in (every_day, new)])

    @contextmanager
    def _pairs_until(self, day: int) -> Iterator[Path]:
        with TemporaryDirectory() as folder:
            path = Path(folder, "data.parquet")
            pl.scan_parquet(self._pairs).head(MIGRATIONS * day).sink_parquet(path)
            yield path

    def _file(self, table: str, day: int, content: str = "first") -> Path:
        return self.folder / f"{table}-{day}-{content}.parquet"

    @property
    def _pairs(self) -> Path:
        return self.folder / "user_migrations.parquet"


def _write(rows: pl.DataFrame, file: Path, day: int) -> None:
    own = {
        "_dump_id": pl.lit(day, pl.Int64),
        "_source_row": pl.int_range(rows.height, dtype=pl.Int64),
    }
    rows.with_columns(**own).write_parquet(file, compression="zstd", compression_level=1)
