"""Decoded dumps: one Parquet file for each table of each dump, published whole."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from csq_assets.errors import StorageError, located
from csq_assets.interruption import raise_if_interrupted
from csq_assets.lake.folders import folder_of, is_cut, table_of
from csq_assets.lake.objects import ObjectStore
from csq_assets.lake.parquet_files import reading, sink
from csq_assets.lake.temporary import remove_left_behind

_ABANDONED_AFTER = timedelta(days=1)
_OURS, _TABLE = "csq.", "csq.table"  # in the footer
_DUMP_FOLDER = re.compile(r"dump_id=(\d+)")
_PARTITION = re.compile(r"raw/([^/]+)/dump_id=(\d+)/data\.parquet")


@dataclass(frozen=True, slots=True)
class Written:
    """A published partition. `digest` is the SHA-256 of its file: other rows, another digest."""

    location: str
    size_bytes: int
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What becomes a Parquet file: frames of one schema, taken one at a time and once.

    `footer` is asked after the last frame; the file keeps what it gives.
    """

    schema: pl.Schema
    frames: Iterator[pl.DataFrame]
    footer: Callable[[], Mapping[str, str]] = dict


class LakeStore:
    """Partitions under `raw/<table>/dump_id=<id>/`, readable by whatever reads Parquet."""

    def __init__(self, objects: ObjectStore) -> None:
        self.objects = objects

    def location(self, table: str, dump_id: int) -> str:
        """The path or s3:// URL of the partition."""
        return f"{self.objects.url}/{_key(table, dump_id)}"

    def write(self, table: str, dump_id: int, rows: Rows) -> Written:
        """Publish the rows as the partition; it replaces an earlier one.

        Where a frame raises, the partition stays as it was; so it does where Interrupted is raised.
        """
        with self.objects.staging() as folder:
            staged = folder / "data.parquet"
            source = register_io_source(lambda *_: _checked(rows.frames), schema=rows.schema)
            sink(source, staged, lambda: {_TABLE: table, **rows.footer()})
            return self._publish(staged, _key(table, dump_id))

    def rewrite(
        self,
        table: str,
        dump_id: int,
        change: Callable[[pl.LazyFrame], pl.LazyFrame],
        footer: Mapping[str, str],
        *,
        digest: str = "",
    ) -> Written:
        """Publish the partition again, its rows changed; `footer` replaces entries of the same name.

        Raises StorageError as `local_file` does, and then the partition stays as it was.
        """
        kept = self.footer(table, dump_id).items()
        kept = {name: text for name, text in kept if name.startswith(_OURS)}
        with self.objects.staging() as folder:
            staged = folder / "data.parquet"
            with (
                reading(self.location(table, dump_id)),
                self.local_file(table, dump_id, digest=digest) as path,
            ):
                rows = change(pl.scan_parquet(path, glob=False))
                sink(rows, staged, lambda: {**kept, **footer})
            return self._publish(staged, _key(table, dump_id))

    def write_frame(self, key: str, frame: pl.LazyFrame) -> tuple[Written, int]:
        """Publish the frame as the Parquet file at `key`; also gives its number of rows."""
        with self.objects.staging() as folder:
            staged = folder / "data.parquet"
            sink(frame, staged)
            rows = pl.scan_parquet(staged, glob=False).select(pl.len()).collect().item()
            return self._publish(staged, key), rows

    def _publish(self, staged: Path, key: str) -> Written:
        location = f"{self.objects.url}/{key}"
        written = Written(location, staged.stat().st_size, _digest(staged))
        self.objects.publish(staged, key)
        return written

    def scan_object(self, key: str) -> pl.LazyFrame:
        """The Parquet file at `key`. Raises StorageError where there is none."""
        try:
            return self.objects.scan_parquet(key)
        except FileNotFoundError:
            raise StorageError(
                f"there is no {self.objects.url}/{key}", remedy="Materialize the asset."
            ) from None

    @contextmanager
    def local_file(self, table: str, dump_id: int, *, digest: str = "") -> Iterator[Path]:
        """The partition as a local Parquet file, to be read while the context lasts.

        Raises StorageError where there is no such partition, where it is not the one of that `digest`,
        if one is given, or where it changed under its reader.
        """
        with ExitStack() as stack:
            with _existing(table, dump_id):
                path = stack.enter_context(self.objects.local_copy(_key(table, dump_id)))
            # Parquet as Polars writes it has no checksums: most flipped bits would be other values.
            if digest and _digest(path) != digest:
                raise StorageError(
                    "cannot read the partition in the lake: its bytes are not those that were written",
                    where={"dump": dump_id, "table": table},
                    remedy="Try again; if the error persists, materialize that partition again.",
                )
            yield path

    def scan(self, table: str, dump_id: int) -> pl.LazyFrame:
        """The partition's rows, in manifest order, for whoever deals with what Polars raises.

        Raises StorageError where there is no such partition.
        """
        with _existing(table, dump_id):
            return self.objects.scan_parquet(_key(table, dump_id))

    @contextmanager
    def rows(self, table: str, dump_id: int) -> Iterator[pl.LazyFrame]:
        """The same, to be collected while the context lasts.

        Raises StorageError also where the partition is damaged.
        """
        with located(dump=dump_id, table=table), reading(self.location(table, dump_id)):
            yield self.scan(table, dump_id)

    def footer(self, table: str, dump_id: int) -> Mapping[str, str]:
        """The metadata in the footer of the partition's file.

        Raises StorageError where there is no such partition, or its file is damaged.
        """
        with located(dump=dump_id, table=table):
            return self._footer(_key(table, dump_id))

    def _footer(self, key: str) -> Mapping[str, str]:
        with reading(f"{self.objects.url}/{key}"):
            return self.objects.parquet_metadata(key)

    def digest(self, table: str, dump_id: int) -> str:
        """The SHA-256 of the partition's file."""
        with self.local_file(table, dump_id) as path:
            return _digest(path)

    def remove_unfinished_writes(self, now: datetime) -> None:
        """Remove staged files, uploads and temporary folders of killed processes, a day later."""
        self.objects.abort_unfinished_uploads("raw/", now - _ABANDONED_AFTER)
        remove_left_behind(now - _ABANDONED_AFTER)

    def delete(self, table: str, dump_id: int) -> None:
        self.objects.delete(_key(table, dump_id))

    def partitions(self) -> frozenset[tuple[str, int]]:
        """Every partition that exists, as table and dump id."""
        found = (_PARTITION.fullmatch(entry.key) for entry in self.objects.list("raw/"))
        folders: dict[str, list[int]] = {}
        for match in found:
            if match:
                folders.setdefault(match[1], []).append(int(match[2]))
        return frozenset(
            (table, dump_id)
            for folder, dump_ids in folders.items()
            for table in [self._table(folder, dump_ids)]
            for dump_id in dump_ids
        )

    def _table(self, folder: str, dump_ids: Iterable[int]) -> str:
        """The table of a folder; where its name is cut, a partition's footer has it."""
        if is_cut(folder):
            for dump_id in dump_ids:
                with suppress(StorageError, KeyError):  # a damaged file; try another
                    return self._footer(f"raw/{folder}/dump_id={dump_id}/data.parquet")[_TABLE]
        return table_of(folder)

    def dumps_of(self, table: str) -> list[int]:
        """The dump ids of the table's partitions, ascending, by one shallow listing."""
        found = map(_DUMP_FOLDER.fullmatch, self.objects.folders(f"raw/{folder_of(table)}/"))
        return sorted(int(match[1]) for match in found if match)


def _checked(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    for frame in frames:
        raise_if_interrupted()
        yield frame


@contextmanager
def _existing(table: str, dump_id: int) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise StorageError(
            "there is no such partition in the lake",
            where={"dump": dump_id, "table": table},
            remedy="Materialize it, or run csq sync.",
        ) from None


def _digest(staged: Path) -> str:
    with staged.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _key(table: str, dump_id: int) -> str:
    return f"raw/{folder_of(table)}/dump_id={dump_id}/data.parquet"
