"""Objects in a directory."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

import polars as pl

from csq_assets.dataconnect.catalog import Delivered
from csq_assets.errors import SettingsError, StorageError

_STAGING = ".staging"
# Deleted meanwhile, no file at all, or a link that is broken, circular, or leads through a file.
_NO_FILE = (None, errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_AT_ONCE = 8  # the directory may be on another machine


class DirectoryStore:
    """A directory. `setting` is the variable that names it, for messages.

    Reading does not create it; writing does, unless it must exist.
    """

    def __init__(self, root: Path, *, setting: str, must_exist: bool) -> None:
        self.root = root
        self._setting = setting
        self._must_exist = must_exist

    @property
    def url(self) -> str:
        return str(self.root)

    @property
    def at_once(self) -> int:
        return _AT_ONCE

    def list(self, prefix: str) -> Iterator[Delivered]:
        with self._reading(prefix, lists=True):
            self._require_folder()
            top = self._path(prefix)
            within = top.relative_to(self.root).parts
            yield from _files(str(top), "".join(f"{part}/" for part in within))

    def folders(self, prefix: str) -> Iterator[str]:
        with self._reading(prefix, lists=True):
            for entry in _entries(str(self._path(prefix))):
                if entry.name != _STAGING and _is_folder(entry) and _entries(entry.path):
                    yield entry.name

    def stat(self, key: str) -> Delivered | None:
        try:
            with self._reading(key):
                return _delivered(key, self._file_stat(key))
        except FileNotFoundError:
            return None

    def open(self, key: str) -> BinaryIO:
        with self._reading(key):
            self._file_stat(key)
            return self._path(key).open("rb")

    def read(self, key: str) -> bytes:
        with self.open(key) as file, self._reading(key):
            return file.read()

    def put(self, key: str, body: bytes) -> None:
        with self.staging() as folder:
            staged = folder / "object"
            with self._writing(key):
                staged.write_bytes(body)
            self.publish(staged, key)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        parent = self.root / _STAGING
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"{self.root} cannot be written: {error.strerror}",
                where={"setting": self._setting},
                remedy="Choose a folder that can be written.",
            ) from error
        with self._writing(_STAGING):
            folder = Path(tempfile.mkdtemp(dir=parent))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, staged: Path, key: str) -> None:
        final = self._path(key)
        with self._writing(key):
            _flush(staged)
            made = [folder for folder in final.parents if not folder.exists()]
            final.parent.mkdir(parents=True, exist_ok=True)
            staged.replace(final)
            for folder in {final.parent, *(folder.parent for folder in made)}:
                _flush(folder)

    def abort_unfinished_uploads(self, prefix: str, before: datetime) -> None:
        """Remove what was staged, whatever its prefix was going to be."""
        staging = self.root / _STAGING
        with self._writing(_STAGING), suppress(FileNotFoundError, NotADirectoryError):
            for folder in staging.iterdir():
                with suppress(FileNotFoundError):  # another process was quicker
                    if folder.stat().st_mtime < before.timestamp():
                        shutil.rmtree(folder, ignore_errors=True)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self._writing(key):
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError):
                return
        with suppress(OSError):  # usually it is not empty
            path.parent.rmdir()

    def parquet_metadata(self, key: str) -> Mapping[str, str]:
        return pl.read_parquet_metadata(self._existing(key))

    @contextmanager
    def local_copy(self, key: str) -> Iterator[Path]:
        """The file itself."""
        path = self._existing(key).absolute()
        before = _version(path)
        yield path
        if _version(path) != before:
            raise StorageError(
                f"{path} changed while it was read", remedy="Run csq sync again; nothing is lost."
            )

    def iceberg_options(self) -> dict[str, str]:
        return {}

    def scan_parquet(self, key: str) -> pl.LazyFrame:
        return pl.scan_parquet(self._existing(key), glob=False)

    def _existing(self, key: str) -> Path:
        if self.stat(key) is None:  # Polars raises several errors for that
            raise FileNotFoundError(key)
        return self._path(key)

    def _file_stat(self, key: str) -> os.stat_result:
        return _of_file(self._path(key).stat(), key)

    def _path(self, key: str) -> Path:
        # Not `root / key`: a key that begins with a slash would leave the directory.
        return Path(f"{self.root}/{key}")

    def _require_folder(self) -> None:
        """Refuse a file in the place of a folder; or, where it must exist, that there is none."""
        there = next((one for one in (self.root, *self.root.parents) if one.exists()), None)
        if there is not None and not there.is_dir():
            raise SettingsError(
                f"{there} is a file, not a directory",
                where={"setting": self._setting},
                remedy=f"Set {self._setting} to a directory.",
            )
        if self._must_exist and there != self.root:
            raise SettingsError(
                f"there is no directory {self.root}",
                where={"setting": self._setting},
                remedy=f"Create it, or set {self._setting} to where the files are.",
            )

    @contextmanager
    def _reading(self, key: str, *, lists: bool = False) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            self._require_folder()
            raise FileNotFoundError(key) from error
        except PermissionError as error:
            if not lists:  # one object: others can be read
                raise self._explained(key, error) from error
            raise SettingsError(
                f"{error.filename}: {error.strerror}",
                where={"setting": self._setting},
                remedy="Give whoever runs csq_assets the rights to it.",
            ) from error
        except OSError as error:
            raise self._explained(key, error) from error

    @contextmanager
    def _writing(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._explained(key, error) from error

    def _explained(self, key: str, error: OSError) -> StorageError:
        return StorageError(
            f"{self._path(key)}: {error.strerror or error}",
            remedy=f"Check the folder that {self._setting} names, its rights and its disk.",
        )


def _files(folder: str, inside: str) -> Iterator[Delivered]:
    """The files of a folder and of those in it; their keys begin with `inside`. Of 10,000 files,
    pathlib would take most of the time."""
    for entry in _entries(folder):
        key = inside + entry.name
        try:
            if _is_folder(entry):
                if not entry.is_symlink():
                    yield from _files(entry.path, f"{key}/")
                continue
            found = _delivered(key, _of_file(entry.stat(), key))
            key.encode()
        except OSError as error:
            if error.errno not in _NO_FILE:
                raise
        except UnicodeEncodeError:  # no key in S3 can have it
            continue
        else:
            yield found


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """A missing folder is empty; one that cannot be read is an error."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        return False


def _of_file(found: os.stat_result, key: str) -> os.stat_result:
    """Raises FileNotFoundError for anything but a file: reading a pipe would block."""
    if not S_ISREG(found.st_mode):
        raise FileNotFoundError(key)
    return found


def _flush(path: Path) -> None:
    """Return when a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # not all file systems flush folders
            raise
    finally:
        os.close(descriptor)


def _version(path: Path) -> tuple[int, ...] | None:
    """What differs once a file was written again or replaced; None where there is none."""
    with suppress(OSError):
        stat = path.stat()
        return stat.st_ino, stat.st_mtime_ns, stat.st_size
    return None


def _delivered(key: str, stat: os.stat_result) -> Delivered:
    return Delivered(
        key=key,
        etag=f"{stat.st_mtime_ns:x}-{stat.st_size:x}",
        size_bytes=stat.st_size,
        modified=datetime.fromtimestamp(stat.st_mtime, UTC),
    )
