"""The storages that `dagster.yaml` names: Dagster's own, made safe for one machine.

A relative `base_dir` counts from DAGSTER_HOME for every tool of Dagster, whatever the working
directory; one process at a time creates the databases; and `SqliteEvents` writes the events. With
`purge_after_days`, what runs of long ago said goes when a process opens the instance.
"""

import logging
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic.util import CommandError
from dagster import Field, Int
from dagster._core.execution.compute_logs import redirect_to_file
from dagster._core.storage.compute_log_manager import CapturedLogContext
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from dagster._utils import ensure_file, touch_file
from filelock import FileLock

from csq_assets.environment import dagster_home, set_default_dagster_home
from csq_assets.errors import SettingsError
from csq_assets.signals import SIGNALS

_RUN = "????????-????-????-????-????????????"  # its id, in the names of its files
_DAY_SECONDS = 24 * 3600
_PURGE_AFTER_DAYS = "purge_after_days"

if TYPE_CHECKING:
    import dagster as dg
    from dagster._core.storage.event_log.base import EventLogStorage


class _UnderHome:
    """Resolves `base_dir` against DAGSTER_HOME. Raises SettingsError where there is none."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Any:
        base_dir = Path(config_value["base_dir"]).expanduser()
        if not base_dir.is_absolute():
            set_default_dagster_home()  # processes that this one starts count from there, too
            base_dir = dagster_home() / base_dir
        config = {**config_value, "base_dir": str(base_dir), "inst_data": inst_data}
        if (days := config.pop(_PURGE_AFTER_DAYS, None)) is not None:
            _purge(cls.of_old_runs(base_dir), days)
        return cls(**config)

    @staticmethod
    def of_old_runs(base_dir: Path) -> Iterable[Path]:
        """What may go once nobody has written there for so long."""
        return ()


class ArtifactStorage(_UnderHome, LocalArtifactStorage):
    """Where IO managers without a folder of their own write."""


class ComputeLogs(_UnderHome, LocalComputeLogManager):
    """What steps print. Those that print nothing, which are nearly all, leave no files for it."""

    @classmethod
    def config_type(cls) -> Any:
        return _purged(super().config_type())

    @staticmethod
    def of_old_runs(base_dir: Path) -> Iterable[Path]:
        return (*base_dir.glob(_RUN), *base_dir.glob("*/*/*.err"))  # of runs, and of ticks

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        with self._captured(log_key) as captured:
            yield captured
        for kind in ("out", "err"):
            printed = Path(self.get_captured_local_path(log_key, kind))
            with suppress(OSError):
                if not printed.stat().st_size:
                    printed.unlink()

    @contextmanager
    def _captured(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        if not SIGNALS.are_watched:
            with super().capture_logs(log_key) as captured:
                yield captured
            return
        # Dagster's own starts processes that print it again, and that Ctrl-C ends with tracebacks.
        with ExitStack() as stack:
            for stream, kind in ((sys.stdout, "out"), (sys.stderr, "err")):
                path = self.get_captured_local_path(log_key, kind)
                ensure_file(path)
                stack.enter_context(redirect_to_file(stream, path))
            yield CapturedLogContext(log_key)
        touch_file(self.complete_artifact_path(log_key))


class SqliteStorage(_UnderHome, DagsterSqliteStorage):
    """Runs, schedules and events, in the files of `storage: sqlite`. `purge_after_days` is for the
    events that the page of a run alone shows; partitions, checks and the list of runs stay."""

    @classmethod
    def config_type(cls) -> Any:
        return _purged(super().config_type())

    @staticmethod
    def of_old_runs(base_dir: Path) -> Iterable[Path]:
        return (base_dir / "history" / "runs").glob(f"{_RUN}.*")  # also what a kill left beside one

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        folder = Path(base_dir)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".first_start.lock"):  # else two processes create one database
            try:
                super().__init__(base_dir, inst_data)
                self._events = _fast_events(super().event_log_storage)
            except CommandError as error:
                raise SettingsError(
                    f"Dagster's databases in {folder} are damaged: {error}",
                    where={"setting": "DAGSTER_HOME"},
                    remedy="Move this folder away. It holds the history of runs only; the next sync "
                    "creates it again.",
                ) from error

    @property
    def event_log_storage(self) -> "EventLogStorage":
        return self._events

    def register_instance(self, instance: "dg.DagsterInstance") -> None:
        super().register_instance(instance)
        if not self._events.has_instance:
            self._events.register_instance(instance)


def _purged(config_type: Any) -> Any:
    return {**config_type, _PURGE_AFTER_DAYS: Field(Int, is_required=False)}


def _purge(paths: Iterable[Path], days: int) -> None:
    """Remove those of them that nobody has written to for so many days."""
    before = time.time() - days * _DAY_SECONDS
    for path in paths:
        with suppress(OSError):  # another process removes them, too; else a later one does
            if path.stat().st_mtime < before:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _fast_events(dagsters: "EventLogStorage") -> "EventLogStorage":
    try:
        from csq_assets.sqlite_events import SqliteEvents  # noqa: PLC0415  # its imports may fail

        return SqliteEvents.replacing(dagsters)
    except (ImportError, AttributeError, TypeError) as error:
        _warn(str(error))
        return dagsters


@cache
def _warn(reason: str) -> None:
    """Once in a process."""
    logging.getLogger("csq_assets").warning(
        "csq_assets records events through Dagster's own SQLite storage, which is slower: "
        "the installed Dagster does not fit the faster one (%s).",
        reason,
    )
