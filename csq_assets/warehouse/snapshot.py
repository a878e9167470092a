"""The snapshot: a copy of the DuckDB file for readers that stay connected."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from csq_assets.errors import StorageError
from csq_assets.warehouse.connection import open_warehouse

_COPY = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])"


def publish_snapshot(
    path: Path | str, snapshot_path: Path | str, *, wait_seconds: float = 60
) -> None:
    """Copy the file as it is after the last transaction, and put the copy in its place by a rename.

    No other connection of this process may be open, so that nothing writes meanwhile.
    Raises StorageError, after which the earlier snapshot is still there.
    """
    path, final = Path(path), Path(snapshot_path)
    beside = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with open_warehouse(path, wait_seconds=wait_seconds) as connection:
            connection.execute("CHECKPOINT")
            # Not in this process: to close a file here, even one opened to read, gives up the lock
            # that DuckDB holds on it.
            subprocess.run(  # noqa: S603 - our own interpreter and code, no shell
                [sys.executable, "-S", "-E", "-c", _COPY, str(path), str(beside)],
                check=True,
                capture_output=True,
                text=True,
            )
        beside.replace(final)
    except subprocess.CalledProcessError as error:
        raise _failed(final, error.stderr.strip().rpartition("\n")[2]) from error
    except OSError as error:
        raise _failed(final, str(error)) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _failed(final: Path, because: str) -> StorageError:
    return StorageError(
        f"the snapshot could not be written: {because}",
        where={"file": str(final)},
        remedy="Check CSQ_DUCKDB_SNAPSHOT_PATH and the space on its disk.",
    )
