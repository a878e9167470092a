"""`csq sync`, and where its CPU time goes: OUT is the JSON file of seconds by part.

Steps run one after another: what the process takes while a part lasts is that part's, in all threads.
"""

import atexit
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

# Imported as `csq` does, after what it does first.
# ruff: noqa: PLC0415

_STARTING, _REST = "imports, and opening Dagster's instance", "planning, and Dagster's steps"
_spent: dict[str, float] = {}
_open = [_STARTING]
_since = 0.0


@contextmanager
def _part(name: str) -> Iterator[None]:
    _settle()
    _open.append(name)
    try:
        yield
    finally:
        _settle()
        _open.pop()


def _settle() -> None:
    global _since  # noqa: PLW0603  # one process, one clock
    now = time.process_time()
    _spent[_open[-1]] = _spent.get(_open[-1], 0) + now - _since
    _since = now


def _count(owner: Any, method: str, name: str) -> None:
    plain: Callable[..., Any] = getattr(owner, method)

    @wraps(plain)
    def counted(*arguments: Any, **named: Any) -> Any:
        with _part(name):
            return plain(*arguments, **named)

    setattr(owner, method, counted)


class _Connection:
    """A connection to DuckDB whose statements are counted."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, *arguments: Any) -> Any:
        with _part("DuckDB"):
            return self._connection.execute(*arguments)


def _watch() -> None:
    """Called when the instance is open. Until then, and until all is imported, it is one part."""
    import csq_assets.sync  # noqa: F401
    from csq_assets.defs.lake_io_manager import LakeIOManager
    from csq_assets.sqlite_events import SqliteEvents
    from csq_assets.warehouse import connection

    _settle()
    _open.append(_REST)
    _count(LakeIOManager, "handle_output", "decoding, and writing Parquet")
    _count(SqliteEvents, "store_event", "Dagster's events")
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

    def tell() -> None:
        _settle()
        out.write_text(json.dumps(_spent))

    atexit.register(tell)
    main()


_profile(Path(sys.argv[1]))
