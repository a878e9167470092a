"""Settings as the attributes of a component: their names in errors, and what two may not share."""

import re
from dataclasses import dataclass, fields
from typing import get_origin

from csq_assets.errors import CsqError
from csq_assets.places import overlap, wrong
from csq_assets.settings import Settings

_BY_VARIABLE = {setting.metadata["variable"]: setting.name for setting in fields(Settings)}


def in_attributes(text: str) -> str:
    """The text with the names of attributes in place of those of variables."""
    for variable, name in _BY_VARIABLE.items():
        text = re.sub(
            rf"\b{variable}\b", name, text.replace(f"setting {variable}:", f"attribute {name}:")
        )
    return text


@dataclass(frozen=True, slots=True)
class Attribute:
    """A setting in the `defs.yaml` of a component."""

    meaning: str
    default: str | None
    is_list: bool


ATTRIBUTES = {
    setting.name: Attribute(
        in_attributes(setting.metadata["meaning"]).removesuffix(", separated by commas"),
        setting.metadata["default"],
        is_list=get_origin(setting.type) is tuple,
    )
    for setting in fields(Settings)
}


def named_by_attribute(error: CsqError) -> CsqError:
    """The error in the words of somebody who wrote a component."""
    if attribute := _BY_VARIABLE.get(str(error.where.get("setting"))):
        place = {name: value for name, value in error.where.items() if name != "setting"}
        error.where = {"attribute": attribute, **place}
    error.message, error.remedy = in_attributes(error.message), in_attributes(error.remedy)
    return error


def refuse_sharing(one: Settings, other: Settings) -> None:
    """Raise SettingsError where two exports have one name in Dagster, or where `one` writes what is
    the other's."""
    if one.key_prefix.replace("/", "_") == other.key_prefix.replace("/", "_"):
        raise wrong(
            "CSQ_KEY_PREFIX",
            f'another component has "{other.key_prefix}" as well',
            "Give each its own: asset keys, jobs and resources begin with it.",
        )
    lake, export = ("lake", other.lake_url), ("export", other.export_url)
    published = ("published tables", other.publish_url)
    files = (("DuckDB file", other.duckdb_path), ("snapshot", other.snapshot_path))
    for variable, place, taken in (
        ("CSQ_LAKE_URL", one.lake_url, (lake, export, published)),
        ("CSQ_DUCKDB_PATH", one.duckdb_path, (*files, export)),
        ("CSQ_DUCKDB_SNAPSHOT_PATH", one.snapshot_path, (*files, export)),
        ("CSQ_PUBLISH_URL", one.publish_url, (published, lake, export)),
    ):
        for what, theirs in taken:
            if place and theirs and overlap(str(place), str(theirs)):
                raise wrong(
                    variable,
                    f'{place} and the {what} of the component "{other.key_prefix}" overlap',
                    "Choose another place.",
                )
