"""The interface of an object store: a directory or a bucket."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

import polars as pl

from csq_assets.dataconnect.catalog import Delivered


class ObjectStore(Protocol):
    """Objects by key. A key is relative to the root; its parts are separated by `/`.

    All methods raise StorageError where the store cannot be reached or a right is missing, and
    SettingsError where it does not exist, cannot be listed, or cannot be written at all.
    """

    @property
    def url(self) -> str:
        """The root, as a person would write it."""
        ...

    @property
    def at_once(self) -> int:
        """How many objects to open at once: more where an answer takes longer."""
        ...

    def list(self, prefix: str) -> Iterator[Delivered]:
        """The objects below `prefix`, in subfolders too, in no particular order."""
        ...

    def folders(self, prefix: str) -> Iterator[str]:
        """The names directly below `prefix` (empty, or with `/` at its end) that have objects below
        them, in no particular order. What lies deeper is not listed.
        """
        ...

    def stat(self, key: str) -> Delivered | None:
        """The object without its bytes; None where there is none."""
        ...

    def open(self, key: str) -> BinaryIO:
        """The object's bytes, seekable. Raises FileNotFoundError where there is none."""
        ...

    def read(self, key: str) -> bytes:
        """The whole object. Raises FileNotFoundError where there is none."""
        ...

    def put(self, key: str, body: bytes) -> None:
        """Write an object; a reader sees the old one or the new one, whole."""
        ...

    def staging(self) -> AbstractContextManager[Path]:
        """An empty local folder for a file that `publish` takes; removed afterwards."""
        ...

    def publish(self, staged: Path, key: str) -> None:
        """Make the staged file the object, whole; it replaces an earlier one."""
        ...

    def abort_unfinished_uploads(self, prefix: str, before: datetime) -> None:
        """Remove what killed processes left of objects below `prefix` that they began to write
        before that time. Lacking the right to do so is no error.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object, if there is one."""
        ...

    def parquet_metadata(self, key: str) -> Mapping[str, str]:
        """The metadata in the footer of the Parquet file.

        Raises FileNotFoundError where there is none.
        """
        ...

    def local_copy(self, key: str) -> AbstractContextManager[Path]:
        """The object as a local file, to be read while the context lasts.

        Raises FileNotFoundError where there is none; StorageError at the end where the object was
        replaced or deleted under its reader.
        """
        ...

    def iceberg_options(self) -> dict[str, str]:
        """How pyiceberg reaches the objects, in its own names; with secrets."""
        ...

    def scan_parquet(self, key: str) -> pl.LazyFrame:
        """The Parquet file as a lazy frame; a small one is already in memory.

        Raises FileNotFoundError where there is none.
        """
        ...
