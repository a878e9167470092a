"""Looks for forgotten users in the lake and in DuckDB files, once they should be gone."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from csq_assets.dataconnect.certificate import FORGET_AGAIN, Left, Searched
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.dataconnect.tombstones import Tombstones
from csq_assets.errors import StorageError
from csq_assets.lake.erasure import find_in_published, find_users, parquet_keys
from csq_assets.lake.locations import Lake
from csq_assets.lake.objects import ObjectStore
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.user_search import (
    Holding,
    count_tables,
    search_parquet,
    search_users,
)


@dataclass(frozen=True, slots=True)
class Traces:
    """What was looked at, and what was found there or could not be read."""

    searched: Searched
    left: tuple[Left, ...]


def find_traces(
    lake: Lake,
    files: Iterable[Path],
    published: ObjectStore | None,
    tombstones: Tombstones,
    *,
    wait_seconds: float,
) -> Traces:
    """Search every partition, people's own assets in the lake, the DuckDB files, and what is published.

    Raises StorageError where a place cannot be listed, or a DuckDB file not be opened.
    """
    seen = _Seen(tombstones)
    seen.left += seen.in_partitions(lake)
    seen.left += seen.in_assets(lake.store.objects)
    seen.left += seen.in_publication(published) if published else ()
    for file in files:
        seen.left += seen.in_tables(file, wait_seconds)
    searched = Searched(seen.partitions, seen.assets, seen.tables, seen.published)
    return Traces(searched, tuple(seen.left))


@dataclass(slots=True)
class _Seen:
    tombstones: Tombstones
    partitions: int = 0
    assets: int = 0
    tables: int = 0
    published: int = 0
    left: list[Left] = field(default_factory=list[Left])

    def in_partitions(self, lake: Lake) -> Iterator[Left]:
        for table, dump_id in sorted(lake.store.partitions()):
            if table == PROPERTY_DEFINITIONS:
                continue
            self.partitions += 1
            place = lake.store.location(table, dump_id)
            try:
                if find_users(lake.store, table, dump_id, self.tombstones):
                    yield Left(place, "rows of a user", "Run csq forget again.")
            except StorageError as error:
                yield Left.of(place, error)

    def in_assets(self, objects: ObjectStore) -> Iterator[Left]:
        def search(key: str) -> str:
            with objects.local_copy(key) as file:
                return search_parquet(file, self.tombstones)

        keys = parquet_keys(objects, "assets/")
        self.assets = len(keys)
        remedy = f"Materialize the asset again, or delete the file. {FORGET_AGAIN}"
        return _in_files(objects, keys, search, remedy)

    def in_publication(self, objects: ObjectStore) -> Iterator[Left]:
        keys = parquet_keys(objects, "")
        self.published = len(keys)
        remedy = (
            "Run csq forget again. If it stays, no table of yours is published there any more: drop "
            "the table from the catalog, if it is in one, and delete its folder."
        )
        return _in_files(
            objects, keys, lambda key: find_in_published(objects, key, self.tombstones), remedy
        )

    def in_tables(self, file: Path, wait_seconds: float) -> Iterator[Left]:
        with open_warehouse(file, wait_seconds=wait_seconds, read_only=True) as connection:
            self.tables += count_tables(connection)
            for one in search_users(connection, self.tombstones):
                what = f'an id, in "{one.column}" of {one.rows:,} rows of {one.name}'
                yield Left(str(file), what, _remedy(one))


def _remedy(holding: Holding) -> str:
    if holding.is_own:
        remedy = "Take the table out of CSQ_SKIP_TABLES, or mend what csq sync says of it."
    else:
        remedy = "Build the table again, or delete these rows of it."
    return f"{remedy} {FORGET_AGAIN}"


def _in_files(
    objects: ObjectStore, keys: Iterable[str], search: Callable[[str], str], remedy: str
) -> Iterator[Left]:
    for key in keys:
        try:
            if column := search(key):
                yield Left(f"{objects.url}/{key}", f'an id, in "{column}"', remedy)
        except StorageError as error:
            yield Left.of(f"{objects.url}/{key}", error, remedy)
