"""A folder for files that are written before they are uploaded, or read once they are downloaded."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from csq_assets.errors import StorageError

_PREFIX = "csq_assets-staged-"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty one, where TMPDIR says; removed afterwards. Raises StorageError where it fails."""
    try:
        made = TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise StorageError(
            f"no folder for temporary files can be made: {error}",
            remedy="Make room where TMPDIR says, or let it name another folder, then try again.",
        ) from error
    with made as folder:
        yield Path(folder)


def remove_left_behind(before: datetime) -> None:
    """Remove those that killed processes left, where nothing was written since then."""
    with suppress(OSError):  # TMPDIR cannot be listed
        for folder in Path(gettempdir()).glob(f"{_PREFIX}*"):
            with suppress(OSError):  # another process was quicker, or it is another user's
                written = (path.stat().st_mtime for path in (folder, *folder.rglob("*")))
                if folder.is_dir() and max(written) < before.timestamp():
                    shutil.rmtree(folder, ignore_errors=True)
