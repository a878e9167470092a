"""Dumps on their way into DuckDB, which reads each partition as a local Parquet file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import polars as pl
from polars.exceptions import PolarsError

from csq_assets.dataconnect.tables import DUMP_ID, ID_COLUMNS, OWN_COLUMNS, SOURCE_ROW
from csq_assets.errors import StorageError
from csq_assets.prefetch import map_in_order, open_in_order
from csq_assets.warehouse.engine import quote_text

_FETCHED_AHEAD = 8
_INTEGERS = (*ID_COLUMNS, DUMP_ID, SOURCE_ROW)  # every other column is text


@dataclass(frozen=True, slots=True, eq=False)
class DumpContent:
    """One dump of one table that counts.

    `content` is a fingerprint that changes when the dump is redelivered. `columns` gives its manifest's
    columns. `parquet` gives its rows in manifest order, with the columns of contract.md, section 4, as
    a local file for as long as the context lasts. Both are called only while it is not applied.
    """

    dump_id: int
    content: str
    columns: Callable[[], tuple[str, ...]]
    parquet: Callable[[], AbstractContextManager[Path]]


class PartitionFile:
    """A dump's partition on the local disk, until it is closed. Raises StorageError where it is lost,
    damaged, or not as csq_assets writes it.
    """

    def __init__(self, dump: DumpContent) -> None:
        self.dump = dump
        with ExitStack() as opened, self.reading():
            self.path = opened.enter_context(dump.parquet())
            self.size_bytes = self.path.stat().st_size
            schema = pl.read_parquet_schema(self.path)
            if schema != {name: pl.Int64 if name in _INTEGERS else pl.String for name in schema}:
                raise self._unreadable("its columns have other types than csq_assets writes")
            self._names = tuple(schema)
            self.close = opened.pop_all().close

    @property
    def columns(self) -> tuple[str, ...]:
        """The delivered columns, in the file's order."""
        return tuple(name for name in self._names if name not in OWN_COLUMNS)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Raises StorageError where what is executed inside finds the partition lost or damaged."""
        try:
            yield
        except (OSError, PolarsError) as error:
            raise self._unreadable(error) from error
        except duckdb.Error as error:
            if not _is_damage(error, self.path):
                raise
            raise self._unreadable(error) from error

    def select(self, columns: Mapping[str, str]) -> str:
        """A SELECT of delivered columns under the names that `columns` gives them, null where the
        file lacks one, and of `ordinal`, the row's number in the partition.
        """
        # By position: DuckDB cannot tell apart names that differ only in case. The aliases also keep
        # its own file_row_number clear of a delivered column of that name.
        place = {name: f"p{number}" for number, name in enumerate(self._names)}
        chosen = [f"{place.get(name, _null(name))} AS {alias}" for name, alias in columns.items()]
        return (
            f"SELECT {', '.join([*chosen, 'file_row_number AS ordinal'])} "
            f"FROM read_parquet({quote_text(str(self.path))}, hive_partitioning = false) "
            f"AS file({', '.join(place.values())})"
        )

    @property
    def places(self) -> dict[str, int]:
        """The number of each column in the file, from 0."""
        return {name: place for place, name in enumerate(self._names)}

    def _unreadable(self, problem: object) -> StorageError:
        return StorageError(
            f"cannot read the partition in the lake: {str(problem).splitlines()[0]}",
            where={"dump": self.dump.dump_id},
            remedy="Try again; if the error persists, materialize that partition again.",
        )


def read_columns(dumps: Sequence[DumpContent]) -> dict[int, tuple[str, ...]]:
    """The columns of each dump's manifest, by dump id. Raises StorageError where that fails."""
    with closing(
        map_in_order(lambda dump: dump.columns(), dumps, workers=_FETCHED_AHEAD)
    ) as columns:
        return {dump.dump_id: found for dump, found in zip(dumps, columns, strict=True)}


@contextmanager
def keep_single_open(dumps: Sequence[DumpContent]) -> Iterator[Sequence[DumpContent]]:
    """The same dumps; a single one stays open, so that both passes over it fetch it once.

    Several are fetched for each pass: the local disk may not have room for all of them.
    """
    if len(dumps) != 1:
        yield dumps
        return
    with open_partitions(dumps) as files:
        file = next(files)
        yield [replace(file.dump, parquet=lambda: nullcontext(file.path))]


def open_partitions(
    dumps: Sequence[DumpContent],
) -> AbstractContextManager[Iterator[PartitionFile]]:
    """The partition of each dump, in order, while the next ones are fetched; each is there until the
    next one is asked for. Raises StorageError where one cannot be read.
    """
    return open_in_order(dumps, PartitionFile, ahead=_FETCHED_AHEAD)


def _is_damage(error: duckdb.Error, path: Path) -> bool:
    """Whether DuckDB speaks of the partition, not of its own file, nor of a mistake of ours."""
    if isinstance(error, duckdb.IOException):
        return str(path) in str(error)
    if type(error) is duckdb.Error:  # most of what DuckDB says of damage has no class of its own
        return "database file" not in str(error)
    return isinstance(error, duckdb.InvalidInputException)


def _null(column: str) -> str:
    return f"CAST(NULL AS {'BIGINT' if column in _INTEGERS else 'VARCHAR'})"
