"""A folder in which `csq` runs as a user's does: an export, a lake, Dagster's state."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.measure import Contestant, FailedError
from benchmarks.readers import REPOSITORY

CSQ = Path(sys.executable).with_name("csq")
# As csq ends: Python does not go through everything that is left.
END = "import gc; gc.freeze()"
OPEN_DAGSTER = f"""
import dagster
with dagster.DagsterInstance.get() as instance:
    instance.get_dynamic_partitions("csq_dumps")
{END}
"""
# Not what `csq status` tells: it reads the lake, and a current table may be behind that.
_APPLIED = """
SELECT count(*) FROM csq_meta.dumps
WHERE status = 'void' OR status = 'applied' AND applied_at IS NOT NULL
"""


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

    def remake(self) -> "Home":
        """Empty, as on the first day."""
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.make()

    def csq(self, name: str, *arguments: str) -> Contestant:
        """`csq` with these arguments, as a process."""
        return self.contestant(name, CSQ, *arguments)

    def contestant(self, name: str, *command: str | Path) -> Contestant:
        return Contestant(
            name, command, environment={"DAGSTER_HOME": str(self.folder)}, folder=self.folder
        )

    def require_applied(self, tables: int) -> None:
        """Raises FailedError unless so many tables of dumps are applied, or void by a full resync."""
        file = self.folder / "data" / "warehouse.duckdb"
        try:
            with duckdb.connect(str(file), read_only=True) as connection:
                applied = connection.execute(_APPLIED).fetchall()[0][0]
        except duckdb.Error as error:
            raise FailedError(f"{file.name} tells of no dumps: {error}") from error
        if applied != tables:
            raise FailedError(f"{applied} tables of dumps were applied, of {tables}")
