"""The models of a dbt project as assets, and its tests as their checks: one step, which runs dbt."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import cached_property
from importlib.metadata import version
from io import TextIOBase
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliInvocation,
    DbtCliResource,
    dbt_assets,
)
from dagster_dbt import DbtProject as DagsterDbtProject
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from packaging.version import Version

from csq_assets.dataconnect.tables import MART_ASSETS
from csq_assets.dbt_project import DbtProject, why_dbt_failed
from csq_assets.defs.dbt_results import DbtResults
from csq_assets.defs.failures import errors_as_failures
from csq_assets.defs.keys import Keys, step_name
from csq_assets.defs.resources import Resources, WarehouseResource
from csq_assets.errors import StorageError
from csq_assets.lake.temporary import temporary_folder
from csq_assets.masking import masked
from csq_assets.pipeline.problems import problems_remembered
from csq_assets.warehouse.connection import open_warehouse
from csq_assets.warehouse.marts_state import read_version, record_built, widest_table

_SCHEMAS = ("csq", "csq_typed")  # whose relations are the current tables
_TRACED_COLUMNS = 200  # of the widest table: column lineage takes minutes from some hundred on
# Unit tests have made-up rows, so they say nothing of what was delivered.
_BUILD = ("build", "--exclude-resource-type", "unit_test")


def build_marts(project: DbtProject, keys: Keys, owners: Sequence[str] = ()) -> dg.AssetsDefinition:
    """The step that builds every model. Raises what `DbtProject.manifest` raises."""

    @dbt_assets(
        manifest=project.manifest(),
        name=step_name(keys.asset(MART_ASSETS)),  # Dagster refuses that of the job
        io_manager_key=keys.duckdb_io,
        dagster_dbt_translator=_Translator(keys, owners),
        required_resource_keys={keys.duckdb, keys.lake},
    )
    def marts(context: dg.AssetExecutionContext) -> Iterator[Any]:
        resources = Resources(context.resources, keys)
        duckdb = resources.duckdb
        if isinstance(duckdb, WarehouseResource):
            duckdb.release()
        whole = context.selected_asset_keys, context.selected_asset_check_keys
        is_whole = whole == (marts.keys, marts.check_keys)
        with errors_as_failures():
            documents = resources.lake.open().documents
            with problems_remembered(documents, MART_ASSETS):
                with open_warehouse(duckdb.database) as connection:  # waits where another has it
                    made_from = read_version(connection, project.digest)
                    traces_columns = widest_table(connection) <= _TRACED_COLUMNS
                events, results, is_green = _build(context, project, traces_columns=traces_columns)
            for relation in results.mart_results(keys, events, is_whole=is_whole).news(
                documents.relations()
            ):
                documents.save_relation(relation)
            if is_whole or not is_green:  # else the next pass builds everything
                with open_warehouse(duckdb.database) as connection:
                    record_built(connection, made_from if is_green else None)
            yield from events
            _raise_failures(project, results)

    return marts


class _Dbt(DbtCliResource):
    """The dbt of this environment."""

    @cached_property
    def _cli_version(self) -> Version:
        """Without asking the executable, which takes seconds to start."""
        return Version(version("dbt-core"))


class _MaskedErrors(TextIOBase):
    """stderr, for dbt, which repeats what databases say of a profile."""

    def write(self, text: str) -> int:
        sys.stderr.write(masked(text))
        return len(text)


class _Translator(DagsterDbtTranslator):
    """What Dagster calls the sources and models of the project of one export."""

    def __init__(self, keys: Keys, owners: Sequence[str]) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))
        self._keys = keys
        self._owners = owners

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] != "source":
            return self._keys.mart(dbt_resource_props["name"])
        if dbt_resource_props["schema"] in _SCHEMAS:
            return self._keys.current(dbt_resource_props["identifier"])
        return super().get_asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        is_staging = "staging" in dbt_resource_props["fqn"]
        group = self._keys.group("marts_staging" if is_staging else "marts")
        return super().get_group_name(dbt_resource_props) or group

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        relation = {
            "schema": dbt_resource_props["schema"],
            "table": dbt_resource_props.get("alias") or dbt_resource_props["name"],
        }
        return {**super().get_metadata(dbt_resource_props), **relation}

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DagsterDbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        """A check that fails ends no step: like every other one it is exit code 3. The models behind it
        are left out by dbt."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and spec._replace(blocking=False)

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        return super().get_owners(dbt_resource_props) or self._owners


def _build(
    context: dg.AssetExecutionContext, project: DbtProject, *, traces_columns: bool
) -> tuple[list[Any], DbtResults, bool]:
    """Run dbt: its events, with the columns of each model and what they are made from; its results; and
    whether everything was built and every test passed.

    Raises StorageError where dbt ends without results.
    """
    profiles = project.profiles_folder
    dbt = _Dbt(
        project_dir=str(project.folder),
        profiles_dir=str(profiles) if profiles else None,
        dbt_executable=project.executable,
    )
    with _environment(project.environment), temporary_folder() as target:
        invocation = dbt.cli(_BUILD, context=context, raise_on_error=False, target_path=target)
        try:
            with redirect_stdout(_MaskedErrors()):  # csq keeps stdout for its JSON
                events = [*invocation.stream().fetch_column_metadata(traces_columns)]
        finally:
            _close_adapter(invocation)
        is_green = invocation.is_successful()
        try:
            found = invocation.get_artifact("run_results.json")
        except FileNotFoundError:
            because = why_dbt_failed(str(invocation.get_error()))
            raise StorageError(
                f"dbt ended before it built anything: {because}",
                where={"project": str(project.folder)},
                remedy="Correct it until dbt build succeeds, then run csq sync.",
            ) from None
        results = DbtResults.of(project.manifest(), found)
        return [*map(results.describe, events)], results, is_green


def _close_adapter(invocation: DbtCliInvocation) -> None:
    """Let go of the file, which dagster-dbt has opened in this process to look at the columns."""
    if invocation.adapter is not None:
        invocation.adapter.cleanup_connections()
        if isinstance(invocation.adapter.connections, DuckDBConnectionManager):
            invocation.adapter.connections.close_all_connections()


def _raise_failures(project: DbtProject, results: DbtResults) -> None:
    if failed := [*results.failed_models()]:
        raise StorageError(
            f"dbt could not build {'; '.join(failed)}",
            where={"project": str(project.folder)},
            remedy="Correct the models, then run csq sync. What was there before is still there.",
        )


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for dbt, which reads a profile nowhere else; dagster-dbt hands them on. It also
    changes the current directory in several threads at once, which is mended here."""
    before = {name: os.environ.get(name) for name in variables}
    folder = Path.cwd()
    os.environ.update(variables)
    try:
        yield
    finally:
        os.chdir(folder)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
