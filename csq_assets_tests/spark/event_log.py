"""What Spark writes of an application while it goes on."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class EventLog:
    """The log of the one application that writes into `folder`."""

    folder: Path
    _events: list[Any] = field(default_factory=list[Any])
    _read: int = 0  # bytes

    @property
    def application(self) -> str:
        """Its id."""
        return self._log.name.removesuffix(".inprogress")

    def told(self, kind: str) -> list[Any]:
        """The events of this kind until now, each as Spark writes it."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            whole, line_end, _ = log.read().rpartition(b"\n")
        self._read += len(whole + line_end)
        self._events += [json.loads(line) for line in whole.splitlines()]
        wanted = f"SparkListener{kind}"
        return [one for one in self._events if one["Event"].rpartition(".")[2] == wanted]

    @property
    def _log(self) -> Path:
        (log,) = self.folder.glob("app-*")
        return log
