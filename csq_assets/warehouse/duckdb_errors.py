"""What DuckDB says when its file, its disk or its memory is at fault, as errors that say what to do."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from csq_assets.errors import StorageError

_DAMAGE = re.compile(
    "corrupt|checksum|read enough bytes|not a valid duckdb|replaying wal|deserializ|internal error",
    re.IGNORECASE,
)
_OUTSIDE = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.SerializationException,
)
_NOTHING_CHANGED = "Nothing was changed."


@contextmanager
def explained(path: object = None) -> Iterator[None]:
    """Raises StorageError for errors of DuckDB that are outside the code. `path`: its file."""
    try:
        yield
    except duckdb.Error as error:
        found = explain(error, path)
        if found is None:
            raise
        raise found from error


def explain(error: duckdb.Error, path: object = None) -> StorageError | None:
    """The error in our words; None for one that only a mistake in the code can cause."""
    said = str(error).splitlines()[0].rstrip(".")
    if isinstance(error, duckdb.OutOfMemoryException):
        remedy = (
            f"{_NOTHING_CHANGED} Raise CSQ_DUCKDB_MEMORY_LIMIT, or make room for what DuckDB spills "
            "beside its file, and try again."
        )
    elif _DAMAGE.search(said):
        remedy = (
            "The file is damaged. Move it away and run csq rebuild: it rebuilds everything from the "
            "lake."
        )
    elif isinstance(error, _OUTSIDE) or "failed to commit" in said.lower():
        remedy = (
            f"{_NOTHING_CHANGED} Check the disk of the DuckDB file and its space, and try again."
        )
    else:
        return None
    where = {} if path is None else {"file": str(path)}
    return StorageError(f"DuckDB could not finish: {said}", where=where, remedy=remedy)
