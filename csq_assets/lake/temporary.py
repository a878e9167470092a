"""A folder for files that are written before they are uploaded, or read once they are downloaded."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from csq_assets.errors import StorageError


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """An empty one, where TMPDIR says; removed afterwards. Raises StorageError where it fails."""
    try:
        made = TemporaryDirectory(prefix="csq-", ignore_cleanup_errors=True)
    except OSError as error:
        raise StorageError(
            f"no folder for temporary files can be made: {error}",
            remedy="Make room where TMPDIR says, or let it name another folder, then try again.",
        ) from error
    with made as folder:
        yield Path(folder)
