"""`csq sync`, and where its CPU time goes: OUT is the JSON file of seconds by part.

It names only what earlier versions have as well: a checkout of one comes first in PYTHONPATH.
"""

import atexit
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.parts import Parts

# Imported as `csq` does, after what it does first.
# ruff: noqa: PLC0415

_parts = Parts("imports, and opening Dagster's instance", from_start=True)


class _Connection:
    """A connection to DuckDB whose statements are counted."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, *arguments: Any) -> Any:
        with _parts.part("DuckDB"):
            return self._connection.execute(*arguments)

    def close(self) -> None:
        """Which writes what has changed into its place."""
        with _parts.part("DuckDB"):
            self._connection.close()


def _watch() -> None:
    """Called when the instance is open. Until then, and until all is imported, it is one part."""
    import dagster as dg

    import csq_assets.sync  # noqa: F401
    from csq_assets.defs.lake_io_manager import LakeIOManager
    from csq_assets.lake import store
    from csq_assets.warehouse import connection

    _parts.rest_is("planning, and Dagster's steps")
    _parts.count(LakeIOManager, "handle_output", "decoding, and writing Parquet")
    _parts.count(store, "_digest", "SHA-256 of partitions")
    _parts.count(dg.DagsterInstance, "handle_new_event", "Dagster's events")
    connect = connection.duckdb.connect
    connection.duckdb.connect = lambda *path, **how: _Connection(connect(*path, **how))


def _profile(out: Path) -> None:
    from csq_assets import instance
    from csq_assets.__main__ import main

    opened = instance.open_instance

    @contextmanager
    def watched() -> Iterator[Any]:
        with opened() as found:
            _watch()
            yield found

    instance.open_instance = watched
    sys.argv = ["csq", "sync"]
    atexit.register(_parts.write, out)
    main()


_profile(Path(sys.argv[1]))
