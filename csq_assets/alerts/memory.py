"""What was told to whom: a small document beside the DuckDB file, written whole.

It is not in the lake, because a lake that cannot be reached is itself something to tell once.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from csq_assets.alerts.situation import Situation
from csq_assets.errors import BusyError
from csq_assets.lake.directory import DirectoryStore
from csq_assets.pipeline.pass_lock import lock_beside


@dataclass(frozen=True, slots=True)
class Remembered:
    """How things stood at the last look, and what each receiver was told last, by its name."""

    seen: Situation = Situation()
    told: Mapping[str, Situation] = field(default_factory=dict[str, Situation])


_DOCUMENT = TypeAdapter(Remembered)


@dataclass(frozen=True, slots=True)
class AlertMemory:
    """The memory of whoever fills the DuckDB file at `warehouse`."""

    warehouse: Path

    def lock(self) -> AbstractContextManager[None]:
        """Only one process tells at a time. Raises BusyError where another one does, SettingsError
        where the folder cannot be written."""
        busy = BusyError("another process is sending alerts")
        return lock_beside(self.warehouse.with_name(f"{self._name}.lock"), busy, wait_seconds=0)

    def read(self) -> Remembered:
        """What is remembered: nothing at first, and where the document is of another version."""
        try:
            return _DOCUMENT.validate_json(self._folder.read(self._name))
        except (FileNotFoundError, ValidationError):
            return Remembered()

    def write(self, remembered: Remembered) -> None:
        self._folder.put(self._name, _DOCUMENT.dump_json(remembered, exclude_defaults=True))

    @property
    def _folder(self) -> DirectoryStore:
        return DirectoryStore(self.warehouse.parent, setting="CSQ_DUCKDB_PATH", must_exist=False)

    @property
    def _name(self) -> str:
        return f".{self.warehouse.name}.alerts.json"
