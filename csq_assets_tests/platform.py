"""A whole platform for tests: an export, a lake, a real Dagster instance, and `csq` itself."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import polars as pl
import pytest
from dagster_duckdb import DuckDBResource

from csq_assets.aws import s3_client
from csq_assets.defs.build import build_definitions, tables_in
from csq_assets.defs.keys import Keys
from csq_assets.lake.locations import Lake, open_lake
from csq_assets.pipeline.progress import Progress
from csq_assets.settings import Settings
from csq_assets.summary import SyncSummary
from csq_assets.sync import run_rebuild, run_sync
from csq_assets_tests.builders import Delivery, ExportBuilder

KEYS = Keys()  # of the default prefix
_RESOURCES = (KEYS.export, KEYS.lake, KEYS.duckdb)
REPOSITORY = Path(__file__).parent.parent
SCRIPTS = Path(sys.executable).parent


@dataclass(slots=True)
class Listener:
    """Keeps what it is told."""

    announced: list[tuple[str, int]] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    decoded: list[Progress] = field(default_factory=list)

    def starts(self, what: str, steps: int) -> None:
        self.announced.append((what, steps))

    def advances(self, what: str) -> None:
        self.taken.append(what)

    def says(self, sentence: str) -> None:
        self.said.append(sentence)

    def decodes(self, progress: Progress) -> None:
        self.decoded.append(progress)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did: its exit code, and both its streams."""

    code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        return json.loads(self.stdout)


@dataclass(frozen=True, slots=True)
class Platform:
    """One export and everything behind it. `deliver` also writes a report that says succeeded, once."""

    folder: Path
    export: ExportBuilder
    settings: Settings
    instance: dg.DagsterInstance

    def deliver(self, dump_id: int, **tables: Any) -> Delivery:
        delivery = self.export.deliver(dump_id, **tables)
        if not any("sync_reports/" in key for key in self.export.list_keys()):
            self.export.report("2026-03-01")
        return delivery

    def sync(self, *, dump_id: int | None = None, skip: tuple[str, ...] = ()) -> SyncSummary:
        settings = replace(self.settings, skip_tables=skip)
        return run_sync(settings, self.instance, Listener(), dump_id=dump_id)

    def rebuild(self, *tables: str) -> SyncSummary:
        return run_rebuild(self.settings, self.instance, Listener(), tables=tables)

    def rows(self, table: str, schema: str = "csq") -> list[dict[str, Any]]:
        """A relation as analysts see it, ordered by all its values."""
        with duckdb.connect(str(self.settings.duckdb_path), read_only=True) as connection:
            name = table.replace('"', '""')
            result = connection.sql(f'FROM {schema}."{name}"').order("ALL")
            return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]

    def relations(self) -> set[str]:
        """What is in schema csq."""
        with duckdb.connect(str(self.settings.duckdb_path), read_only=True) as connection:
            found = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'csq'"
            ).fetchall()
            return {name for (name,) in found}

    @property
    def lake(self) -> Lake:
        return open_lake(self.settings.lake_url, s3_client)

    def definitions(self, *, plain_duckdb: bool = False) -> dg.Definitions:
        """As the code location would build them now, with a DuckDBResource of a user's if asked."""
        tables = tables_in(self.lake.documents.catalog(), self.settings)
        duckdb = DuckDBResource(database=str(self.settings.duckdb_path)) if plain_duckdb else None
        return build_definitions(self.settings, tables, duckdb=duckdb)

    def raw(self, table: str, dump_id: int) -> pl.DataFrame:
        """A partition, as a user loads it."""
        loaded = self.definitions().load_asset_value(
            ["csq", "raw", table], partition_key=str(dump_id), instance=self.instance
        )
        assert isinstance(loaded, pl.DataFrame)
        return loaded

    def partitions(self) -> set[tuple[str, int]]:
        """What is in the lake, property definitions left out."""
        found = self.lake.store.partitions()
        return {one for one in found if one[0] != "property_definitions"}

    def environment(self) -> dict[str, str]:
        """For `csq` as a process of its own, in `folder`."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("CSQ_")},
            "CSQ_EXPORT_URL": self.settings.export_url,
            "CSQ_LAKE_URL": self.settings.lake_url,
            "CSQ_DUCKDB_PATH": str(self.settings.duckdb_path),
            "CSQ_DUCKDB_SNAPSHOT_PATH": str(self.settings.snapshot_path or ""),
            "CSQ_PUBLISH_URL": self.settings.publish_url or "",
            "CSQ_PUBLISH_FORMAT": self.settings.publish_format,
            "DAGSTER_HOME": str(self.folder),
            "COLUMNS": "200",
        }

    def csq(self, *arguments: str, **variables: str) -> Ran:
        """The real console script."""
        return csq(self.folder, *arguments, environment={**self.environment(), **variables})


def tick(instance: dg.DagsterInstance, defs: dg.Definitions) -> object:
    """What the sensor says: a SensorResult, or why it does nothing. What it logs goes where Dagster
    keeps the logs of ticks."""
    repository = defs.get_repository_def()
    with dg.build_sensor_context(
        instance=instance,
        instance_ref=instance.get_ref(),
        repository_name=repository.name,
        repository_def=repository,
        sensor_name=KEYS.sensor,
        resources={key: (defs.resources or {})[key] for key in _RESOURCES},
    ) as context:
        return repository.get_sensor_def(KEYS.sensor)(context)


def csq(folder: Path, *arguments: str, environment: Mapping[str, str]) -> Ran:
    """Run `csq` in a folder."""
    return run(SCRIPTS / "csq", *arguments, cwd=folder, environment=environment)


def run(*command: str | Path, cwd: Path, environment: Mapping[str, str]) -> Ran:
    """Run a command."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def copy_dagster_yaml(folder: Path) -> None:
    """The repository's dagster.yaml, in `folder`."""
    shutil.copy(REPOSITORY / "dagster.yaml", folder)


def make_home(folder: Path) -> None:
    """Make `folder` what DAGSTER_HOME may be, with the repository's dagster.yaml."""
    copy_dagster_yaml(folder)
    with open_instance(folder) as instance:
        instance.get_dynamic_partitions("csq_dumps")


@contextmanager
def open_platform(folder: Path, export: ExportBuilder, lake_url: str) -> Iterator[Platform]:
    """A platform whose instance lies in `folder`."""
    environment = {
        "CSQ_EXPORT_URL": export.url,
        "CSQ_LAKE_URL": lake_url,
        "CSQ_DUCKDB_PATH": str(folder / "data" / "warehouse.duckdb"),
    }
    with open_instance(folder) as instance:
        yield Platform(folder, export, Settings.from_environment(environment), instance)


@contextmanager
def open_instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of `folder`, from where its relative base_dirs count.

    Not as `with instance`: that sets a context variable, and a context of Dagster's that the garbage
    collector closes later sets it again, to this instance, for whichever test is then running.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(folder))
        instance = dg.DagsterInstance.from_config(str(folder))
        try:
            yield instance
        finally:
            instance.dispose()
