"""`DataConnectComponent`: one export in a Dagster project, described by its `defs.yaml`."""

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field, SecretStr

from csq_assets.attributes import ATTRIBUTES, named_by_attribute, refuse_sharing
from csq_assets.component_scaffold import DataConnectScaffolder
from csq_assets.defs.build import load_definitions
from csq_assets.errors import CsqError, SettingsError, UsageError
from csq_assets.settings import Settings


def _attribute(name: str, *, is_secret: bool = False) -> Any:
    """The setting of that name."""
    attribute = ATTRIBUTES[name]
    default = [] if attribute.is_list else attribute.default
    return Field(default=default, description=attribute.meaning, repr=not is_secret)


@dg.scaffold_with(DataConnectScaffolder)
class DataConnectComponent(dg.Component, dg.Model, dg.Resolvable):
    """A Contentsquare Data Connect export, decoded into trusted tables.

    Each attribute is the setting of that name, with the same default. Relative paths count from the
    project's folder. Each export has a lake, a DuckDB file and a key_prefix of its own.
    """

    export_url: str = _attribute("export_url")
    manifest_prefix: str = _attribute("manifest_prefix")
    skip_tables: list[str] = _attribute("skip_tables")
    drop_columns: list[str] = _attribute("drop_columns")
    hash_columns: list[str] = _attribute("hash_columns")
    hash_key: str | None = _attribute("hash_key", is_secret=True)
    lake_url: str = _attribute("lake_url")
    duckdb_path: str = _attribute("duckdb_path")
    snapshot_path: str | None = _attribute("snapshot_path")
    publish_url: str | None = _attribute("publish_url")
    publish_format: str = _attribute("publish_format")
    memory_limit: str = _attribute("memory_limit")
    types_path: str | None = _attribute("types_path")
    dbt_project: str | None = _attribute("dbt_project")
    owners: list[str] = _attribute("owners")
    request_payer: str | None = _attribute("request_payer")
    key_prefix: str = _attribute("key_prefix")
    group_prefix: str | None = _attribute("group_prefix")
    alerts: list[str] = _attribute("alerts", is_secret=True)
    alert_severity: str = _attribute("alert_severity")
    ui_url: str | None = _attribute("ui_url")
    code_location: str | None = _attribute("code_location")
    engine: str = _attribute("engine")
    spark_submit: str = _attribute("spark_submit")
    spark_emr_serverless: str | None = _attribute("spark_emr_serverless")
    spark_catalog: str = _attribute("spark_catalog")
    spark_buckets: str = _attribute("spark_buckets")

    @classmethod
    def from_environment(cls) -> "DataConnectComponent":
        """The component that the variables describe. Raises SettingsError, naming the variable."""
        settings = Settings.from_environment()
        return cls.model_validate({name: _plain(getattr(settings, name)) for name in ATTRIBUTES})

    def settings(self, project: Path) -> Settings:
        """The settings, if the project is in that folder. Raises SettingsError."""
        return Settings.of(self.model_dump(), project)

    def definitions(
        self, project: Path, others: Iterable["DataConnectComponent"]
    ) -> dg.Definitions:
        """The definitions beside those of others. Raises SettingsError, naming the variable."""
        settings = self.settings(project)
        for theirs in _valid_settings((one for one in others if one is not self), project):
            refuse_sharing(settings, theirs)
        return load_definitions(settings)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The definitions in a project. Raises SettingsError, naming the attribute."""
        others = context.component_tree.get_all_components(DataConnectComponent)
        try:
            return self.definitions(context.project_root, others)
        except CsqError as error:
            raise named_by_attribute(error) from None


def load_attributes(folder: Path, project: Path) -> dict[str, Any]:
    """The attributes of the component in that folder of the project. Raises UsageError where Dagster
    cannot load it."""
    sys.path += [str(project / "src"), str(project)]  # where it is, if it is not installed
    try:
        component = dg.ComponentTree.for_project(project).load_component(folder)
    except Exception as error:  # whatever the person's code raises, in Dagster's words
        first: BaseException = error
        while first.__cause__ is not None:
            first = first.__cause__
        reason = re.sub(r" \[type=.*", "", " ".join(str(first).split()))  # pydantic's own words
        raise UsageError(f"it cannot be loaded: {reason}", remedy="Run dg check yaml.") from error
    if not isinstance(component, DataConnectComponent):
        raise UsageError(f"{folder} holds something else than one DataConnectComponent")
    return component.model_dump()


def _valid_settings(
    components: Iterable[DataConnectComponent], project: Path
) -> Iterator[Settings]:
    """Of a component whose settings are wrong, none: it says so itself."""
    for one in components:
        with suppress(SettingsError):
            yield one.settings(project)


def _plain(value: object) -> object:
    """The value of a setting, as YAML has it."""
    if isinstance(value, tuple):
        return [*map(_plain, value)]
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value) if isinstance(value, Path | int) else value
