"""What every format of publication has in common."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from csq_assets.interruption import result_of, threads
from csq_assets.lake.objects import ObjectStore

_AT_ONCE = 8
ORPHANED_AFTER = timedelta(
    days=1
)  # a file that nothing names: a publication was killed, or still runs


@dataclass(frozen=True, slots=True)
class Standing:
    """What is published of a relation of DuckDB, `table`: each column with its type, a fingerprint of
    each bucket that has rows, and the newest dump in it."""

    table: str
    columns: Mapping[str, str]
    buckets: Mapping[int, str]
    dump_id: int | None

    def has_columns_of(self, other: "Standing") -> bool:
        """Whether both have the same columns in the same order."""
        return list(self.columns.items()) == list(other.columns.items())

    def says(self, other: "Standing") -> bool:
        """Whether a reader learns the same of both, apart from the rows."""
        same = (self.table, self.dump_id) == (other.table, other.dump_id)
        return same and self.has_columns_of(other)


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a published table. `version` is the snapshot of Iceberg, or a time; `location` is
    what a reader names."""

    standing: Standing
    location: str
    version: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What is to be published. `changed` are the buckets that are written anew or emptied, all of them
    if the table `is_new`; `stage` writes them into a folder, with the field ids of the columns if
    given, and gives the files of each.
    """

    standing: Standing
    is_new: bool
    changed: frozenset[int]
    stage: Callable[[Path, Mapping[str, int] | None], Mapping[int, list[Path]]]


@dataclass(frozen=True, slots=True)
class Written:
    """The data files that a publication wrote, and the version that it made."""

    version: Version
    files: int
    bytes_written: int


class Target(Protocol):
    """A place for published tables, in one format. `name` is that of a table there.

    All methods raise StorageError or SettingsError. A reader sees a table before or after a method,
    never between.
    """

    def columns(self, columns: Mapping[str, str]) -> dict[str, str]:
        """The name of each column there."""
        ...

    def read(self, name: str) -> Version | None:
        """What is published; None where there is nothing, or something that nobody can tell."""
        ...

    def can_keep(self, known: Standing, wanted: Standing) -> bool:
        """Whether files may stay as they are where the columns of the table change so."""
        ...

    def write(self, name: str, contents: Contents) -> Written:
        """Replace the buckets that changed, or the whole table."""
        ...

    def purge(self, name: str) -> Version:
        """Remove what is kept for readers of earlier versions, and every file that nothing names. Of a
        table that `read` knows."""
        ...

    def remove(self, name: str) -> None:
        """Remove the table with its files."""
        ...


def publish_files(objects: ObjectStore, files: Mapping[str, Path]) -> None:
    """Put local files in place, by their keys, several at once."""
    with threads(min(objects.at_once, _AT_ONCE), "csq-publish") as pool:
        for done in [pool.submit(objects.publish, file, key) for key, file in files.items()]:
            result_of(done)


def remove_files(
    objects: ObjectStore, prefix: str, keep: Container[str], before: datetime | None
) -> None:
    """Delete the objects below the prefix that are not kept, and what killed processes left of some:
    all, or those written before that time."""
    objects.abort_unfinished_uploads(prefix, before or datetime.now(UTC))
    for found in list(objects.list(prefix)):
        if found.key not in keep and (before is None or found.modified < before):
            objects.delete(found.key)
