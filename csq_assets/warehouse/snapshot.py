"""The snapshot: a copy of the DuckDB file for readers that stay connected."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from duckdb import DuckDBPyConnection

from csq_assets.errors import StorageError

_COPY = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])"


def publish_snapshot(
    connection: DuckDBPyConnection, path: Path | str, snapshot_path: Path | str
) -> int:
    """Copy the file as it is after the last transaction, and put the copy in its place by a rename.
    Gives its size in bytes. What a killed process left beside it is removed.

    `connection` is the only one that writes the file. Raises StorageError, and then the earlier
    snapshot is still there.
    """
    path, final = Path(path), Path(snapshot_path)
    beside = final.with_name(f".{final.name}.{os.getpid()}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        for left in final.parent.iterdir():
            if _is_unfinished(left.name, final.name):
                left.unlink(missing_ok=True)
        connection.execute("CHECKPOINT")
        # Not in this process: to close a file here, even one opened to read, gives up the lock that
        # DuckDB holds on it.
        subprocess.run(  # noqa: S603 - our own interpreter and code, no shell
            [sys.executable, "-S", "-E", "-c", _COPY, str(path), str(beside)],
            check=True,
            capture_output=True,
            text=True,
        )
        beside.replace(final)
        return final.stat().st_size
    except subprocess.CalledProcessError as error:
        raise _failed(final, error.stderr.strip().rpartition("\n")[2]) from error
    except OSError as error:
        raise _failed(final, str(error)) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _is_unfinished(name: str, final: str) -> bool:
    """Whether it is a copy that nobody makes now: one process at a time has the DuckDB file."""
    before, _, process = name.rpartition(".")
    return before == f".{final}" and process.isdecimal()


def _failed(final: Path, because: str) -> StorageError:
    return StorageError(
        f"the snapshot could not be written: {because}",
        where={"file": str(final)},
        remedy="Check CSQ_DUCKDB_SNAPSHOT_PATH and the space on its disk.",
    )
