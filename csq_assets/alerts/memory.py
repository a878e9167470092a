"""What was told to whom: a small document beside the DuckDB file, written whole.

It is not in the lake, because a lake that cannot be reached is itself something to tell once.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter, ValidationError

from csq_assets.alerts.situation import Situation
from csq_assets.errors import BusyError
from csq_assets.lake.directory import DirectoryStore


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

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Only one process tells at a time. Raises BusyError where another one does."""
        self.warehouse.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.warehouse.with_name(f"{self._name}.lock"), timeout=0)
        try:
            with lock:
                yield
        except Timeout:
            raise BusyError("another process is sending alerts") from None

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
