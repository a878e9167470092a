"""Lists and reads an export; refuses paths outside it."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import BinaryIO

from csq_assets.dataconnect.catalog import Delivered
from csq_assets.errors import REDELIVER, FileError
from csq_assets.lake.objects import ObjectStore

SYNC_REPORTS = "sync_reports/"


class Export:
    """An export, read-only: lists manifests and reports, and reads files by path.

    Paths inside it begin with `bucket` and `prefix`. For a directory, `bucket` is None, and the
    bucket's name in a path is ignored.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        manifest_prefix: str,
        bucket: str | None = None,
        prefix: str = "",
    ) -> None:
        self.objects = objects
        self._manifest_prefix = manifest_prefix
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    @property
    def url(self) -> str:
        return self.objects.url

    def list_manifests(self) -> Iterator[Delivered]:
        """Every visible `.json` object below the manifest prefix."""
        return (
            found for found in self._visible(self._manifest_prefix) if found.key.endswith(".json")
        )

    def list_sync_reports(self) -> Iterator[Delivered]:
        """Every visible object below `sync_reports/`, whatever its name."""
        return self._visible(SYNC_REPORTS)

    def _visible(self, prefix: str) -> Iterator[Delivered]:
        """Objects that are neither folder markers nor hidden files."""
        for found in self.objects.list(prefix):
            name = found.key.rpartition("/")[2]
            if name and not name.startswith("."):
                yield found

    def read(self, delivered: Delivered) -> bytes:
        """The bytes of a manifest or a report. Raises FileNotFoundError if it was deleted."""
        return self.objects.read(delivered.key)

    def open_file(self, path: str) -> BinaryIO:
        """The file that a manifest names, seekable.

        Raises FileError where the path is outside the export, or there is no such file.
        Source: export-format.md, edge cases 18 to 20 and 23.
        """
        try:
            return self.objects.open(self._key(path))
        except (FileNotFoundError, IsADirectoryError):
            raise FileError(
                "there is no such file", where={"file": path}, remedy=REDELIVER
            ) from None

    def file_state(self, path: str) -> str:
        """ETag and size, or "missing": it changes when the file is replaced."""
        found = self.objects.stat(self._key(path))
        return f"{found.etag} {found.size_bytes}" if found else "missing"

    def _key(self, path: str) -> str:
        """The key relative to the export's root, byte for byte: nothing is decoded."""
        scheme, _, rest = path.partition("://")
        bucket, _, key = rest.partition("/")
        if scheme != "s3" or not bucket or not key or "\0" in key:
            raise self._refused(path, "the path is not of the form s3://bucket/key")
        if ".." in PurePosixPath(key).parts:
            raise self._refused(path, 'the path contains ".."')
        if self._bucket is None:
            return key
        if bucket != self._bucket:
            raise self._refused(path, f'the path lies in another bucket than "{self._bucket}"')
        if not key.startswith(self._prefix):
            raise self._refused(path, f"the path lies outside {self.url}")
        return key.removeprefix(self._prefix)

    def _refused(self, path: str, why: str) -> FileError:
        return FileError(
            f"{why}, so nothing is read from there",
            where={"file": path},
            remedy="If the export was copied, mirror it into a directory and set CSQ_EXPORT_URL to "
            "that.",
        )
