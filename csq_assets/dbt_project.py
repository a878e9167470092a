"""The dbt project that CSQ_DBT_PROJECT names: how dbt is run over it, and its manifest.

Nothing is written into the project. What dbt makes of it is kept beside the DuckDB file.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from csq_assets.errors import SettingsError, StorageError
from csq_assets.masking import masked
from csq_assets.settings import Settings

_SETTING = {"setting": "CSQ_DBT_PROJECT"}
_WRITTEN_BY_DBT = {"target", "logs"}
_FAILED_BEFORE = "Encountered an error:"
_TRACEBACK = re.compile(
    r"(?:\d\d:\d\d:\d\d\s+)?Traceback \(most recent call last\)"
)  # after its time


@dataclass(frozen=True)
class DbtProject:
    """A dbt project over the current tables of one DuckDB file."""

    folder: Path
    duckdb_path: Path
    memory_limit: str

    @classmethod
    def of(cls, settings: Settings) -> "DbtProject | None":
        """The project of the settings, as its files are now.

        Raises SettingsError where the extra is not installed.
        """
        if settings.dbt_project is None:
            return None
        _require_dbt()
        return cls(settings.dbt_project, settings.duckdb_path, settings.memory_limit)

    @property
    def executable(self) -> str:
        """dbt of this environment, whatever PATH says."""
        return str(Path(sysconfig.get_path("scripts")) / "dbt")

    @property
    def profiles_folder(self) -> Path | None:
        """Where the project brings its profile; else dbt looks where it always does."""
        return self.folder if (self.folder / "profiles.yml").is_file() else None

    @property
    def environment(self) -> dict[str, str]:
        """What the profile of the project asks for, and where dbt finds what it parsed."""
        return {
            "CSQ_DUCKDB_PATH": str(self.duckdb_path),
            "CSQ_DUCKDB_MEMORY_LIMIT": self.memory_limit,
            "DBT_TARGET_PATH": str(self.parsed_folder),
        }

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the project's files, and of what reads them."""
        seen = hashlib.sha256(f"{version('dbt-core')} {self.duckdb_path}".encode())
        for file in sorted(self.folder.rglob("*")):
            inside = file.relative_to(self.folder)
            hidden = any(part.startswith(".") for part in inside.parts)
            if file.is_file() and not hidden and inside.parts[0] not in _WRITTEN_BY_DBT:
                seen.update(f"\n{inside} {file.stat().st_size}\n".encode())
                seen.update(file.read_bytes())
        return seen.hexdigest()

    @property
    def parsed_folder(self) -> Path:
        """Where dbt's reading of the project is kept, as its files are now."""
        return self._parsed_folders / self.digest[:16]

    @property
    def _parsed_folders(self) -> Path:
        return self.duckdb_path.with_name(f"{self.duckdb_path.name}.dbt")

    def manifest(self) -> Mapping[str, Any]:
        """dbt's manifest of the project. dbt is asked once for each content of its files.

        Raises SettingsError where dbt refuses the project, StorageError where the manifest cannot be
        kept.
        """
        file = self.parsed_folder / "manifest.json"
        try:
            if not file.is_file():
                self._parse()
            return json.loads(file.read_bytes())
        except OSError as error:
            raise StorageError(
                f"what dbt reads of the project cannot be kept: {error.strerror}",
                where={"folder": str(self._parsed_folders)},
                remedy="Allow this user to write the folder of CSQ_DUCKDB_PATH.",
            ) from error

    def _parse(self) -> None:
        folders = self._parsed_folders
        folders.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=folders) as beside:
            self._run_parse(Path(beside))
            for earlier in folders.glob("[!.]*"):
                shutil.rmtree(earlier, ignore_errors=True)
            parsed = Path(beside) / "parsed"
            try:
                parsed.rename(self.parsed_folder)
            except OSError:  # another process was faster
                if not (self.parsed_folder / "manifest.json").is_file():
                    raise

    def _run_parse(self, beside: Path) -> None:
        profiles = ["--profiles-dir", str(self.profiles_folder)] if self.profiles_folder else []
        done = subprocess.run(  # noqa: S603  # dbt of this environment, no shell
            [
                self.executable,
                "--no-use-colors",
                "parse",
                "--project-dir",
                str(self.folder),
                *profiles,
            ],
            env={
                **os.environ,
                **self.environment,
                "DBT_TARGET_PATH": str(beside / "parsed"),
                "DBT_LOG_PATH": str(beside / "parsed"),
                "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            },
            cwd=beside,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SettingsError(
                f"dbt cannot read the project: {why_dbt_failed(done.stdout or done.stderr)}",
                where={**_SETTING, "folder": str(self.folder)},
                remedy=f"Correct it until dbt parse --project-dir {self.folder} succeeds.",
            )


def why_dbt_failed(said: str) -> str:
    """What dbt says of its failure, in a line: without what stands before it, and without a traceback,
    which it adds where a database refuses the profile."""
    because = _TRACEBACK.split(said.rpartition(_FAILED_BEFORE)[2])[0].strip()
    last_line = said.strip().rpartition("\n")[2]
    return masked(" ".join((because or last_line).split()))


def _require_dbt() -> None:
    if find_spec("dagster_dbt") is None or find_spec("dbt") is None:
        raise SettingsError(
            "dbt is not installed",
            where=_SETTING,
            remedy='Install the extra: pip install "csq-assets[dbt]".',
        )
