"""A folder in which `csq` runs as a user's does: an export, a lake, Dagster's state."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Contestant, FailedError
from benchmarks.readers import REPOSITORY

CSQ = Path(sys.executable).with_name("csq")


@dataclass(frozen=True, slots=True)
class Home:
    """Where DAGSTER_HOME is; the export lies in `data/export` under it."""

    folder: Path

    @property
    def export(self) -> Path:
        return self.folder / "data" / "export"

    def make(self) -> "Home":
        self.folder.mkdir(parents=True)
        shutil.copy(REPOSITORY / "dagster.yaml", self.folder)
        return self

    def csq(self, name: str, *arguments: str) -> Contestant:
        """`csq` with these arguments, as a process."""
        return self.contestant(name, CSQ, *arguments)

    def contestant(self, name: str, *command: str | Path) -> Contestant:
        return Contestant(
            name, command, environment={"DAGSTER_HOME": str(self.folder)}, folder=self.folder
        )

    def require_applied(self, tables: int) -> None:
        """Raises FailedError unless so many tables of dumps are applied, or void by a full resync."""
        told = subprocess.run(
            (CSQ, "status", "--json"), cwd=self.folder, capture_output=True, check=True
        )
        status = json.loads(told.stdout)
        applied = sum(table["applied"] + table["void"] for table in status["tables"])
        if applied != tables or status["failures"]:
            raise FailedError(f"{applied} tables of dumps were applied, of {tables}")
