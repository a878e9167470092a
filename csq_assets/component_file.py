"""Finds a component in a Dagster project, and reads its settings: without Dagster, where they are plain
values."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from dagster_shared.utils.config import (
    discover_config_file,
    get_canonical_defs_module_name,
    load_toml_as_dict,
)

from csq_assets.attributes import ATTRIBUTES, named_by_attribute, refuse_sharing
from csq_assets.environment import load_env_file
from csq_assets.errors import CsqError, UsageError
from csq_assets.settings import Settings

_TYPES = ("csq_assets.DataConnectComponent", "csq_assets.component.DataConnectComponent")
_FILES = ("defs.yaml", "defs.yml", "component.py")


@dataclass(frozen=True, slots=True)
class Project:
    """A project of Dagster: its folder, that of its definitions, and the name of its code location."""

    folder: Path
    defs: Path
    code_location: str

    def components(self) -> list[str]:
        """The folders of components of this kind, as a person names them."""
        return sorted(
            str(file.parent.relative_to(self.defs))
            for name in _FILES
            for file in self.defs.rglob(name)
            if b"DataConnectComponent" in _read(file)
        )


def read_component(name: str) -> Settings:
    """The settings of a component: `name` is its folder in the project's definitions, or the path of
    that folder or of its `defs.yaml`.

    Raises UsageError where there is none, SettingsError naming the attribute, also where it writes
    what is another component's.
    """
    folder, project = _find(name)
    load_env_file(project.folder)
    try:
        settings = _settings_in(folder, project)
        for theirs in _others(folder, project):
            refuse_sharing(settings, theirs)
    except CsqError as error:
        raise named_by_attribute(error).at(component=name) from None
    return settings


def _settings_in(folder: Path, project: Project) -> Settings:
    attributes = _plain_attributes(folder)
    if attributes is None:
        from csq_assets.component import load_attributes  # noqa: PLC0415  # imports Dagster

        attributes = load_attributes(folder, project.folder)
    location = attributes.get("code_location") or project.code_location
    return Settings.of({**attributes, "code_location": location}, project.folder)


def _others(folder: Path, project: Project) -> Iterator[Settings]:
    """Of the other components of the project, except those whose settings are wrong."""
    for name in project.components():
        if not folder.samefile(project.defs / name):
            with suppress(CsqError):
                yield _settings_in(project.defs / name, project)


def is_project(folder: Path) -> bool:
    """Whether the folder is that of a Dagster project."""
    project = _project_of(folder)
    return project is not None and project.folder == folder.absolute()


def _find(name: str) -> tuple[Path, Project]:
    here = _project_of(Path.cwd())
    for place in (*([here.defs / name] if here else []), Path(name).absolute()):
        folder = place.parent if place.name in _FILES else place
        if any((folder / file).is_file() for file in _FILES) and (project := _project_of(folder)):
            return folder, project
    if here is None:
        raise UsageError(
            f'there is no Dagster project here, and no component at "{name}"',
            remedy="Run csq in the folder of the project, or give the path of a defs.yaml.",
        )
    raise UsageError(
        f'there is no component "{name}" in {here.defs}',
        remedy=f"Components: {', '.join(here.components()) or 'none'}.",
    )


def _project_of(folder: Path) -> Project | None:
    """The project around the folder, as dg finds it."""
    try:
        file = discover_config_file(folder, lambda config: "project" in config)
    except (ValueError, OSError):
        raise _no_toml(folder) from None
    if file is None:
        return None
    document = load_toml_as_dict(file)
    config = (document if file.name == "dg.toml" else document["tool"]["dg"])["project"]
    module = get_canonical_defs_module_name(
        config.get("defs_module"), config.get("root_module", "")
    )
    source = file.parent / "src"
    return Project(
        file.parent,
        Path(source if source.exists() else file.parent, *module.split(".")),
        config.get("code_location_name") or file.parent.name,
    )


def _no_toml(folder: Path) -> UsageError:
    """Which of the files that were looked at is the one that cannot be read."""
    for place in (folder.absolute(), *folder.absolute().parents):
        for name in ("dg.toml", "pyproject.toml"):
            try:
                load_toml_as_dict(place / name)
            except FileNotFoundError:
                pass
            except (ValueError, OSError) as error:  # no TOML, no UTF-8, no right
                return UsageError(f"{place / name} is no valid TOML: {error}")
    return UsageError(f"a file of the project around {folder} cannot be read")


def _plain_attributes(folder: Path) -> Mapping[str, Any] | None:
    """The attributes, unless only Dagster can tell: of code, of a template, or of another class."""
    file = next((folder / name for name in _FILES[:2] if (folder / name).is_file()), None)
    if file is None or b"{{" in (body := _read(file)):
        return None
    try:
        documents = [*yaml.safe_load_all(body.decode())]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is no valid YAML: {' '.join(str(error).split())}") from None
    match documents:
        case [{"type": kind, **rest}] if kind in _TYPES:
            attributes = rest.get("attributes") or {}
            return attributes if _are_plain(attributes) else None
        case _:
            return None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def _are_plain(attributes: object) -> bool:
    """Whether Dagster would take them as they are; what it refuses, it says itself."""
    return isinstance(attributes, dict) and all(
        name in ATTRIBUTES and isinstance(value, list if ATTRIBUTES[name].is_list else str | None)
        for name, value in attributes.items()
    )
