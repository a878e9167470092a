"""What several commands take, and how they answer a program."""

import json
import os
from collections.abc import Mapping
from typing import Any

import click

from csq_assets.errors import CONTROLS
from csq_assets.settings import Settings

DUMP = click.IntRange(min=0)
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


def read_settings() -> Settings:
    """Those of the component that was named, or else of the environment."""
    component = click.get_current_context().obj
    if component is None:
        return Settings.from_environment()
    from csq_assets.component_file import read_component

    return read_component(component)


def variables() -> Mapping[str, str]:
    """The environment, where the settings come from it."""
    return os.environ if click.get_current_context().obj is None else {}


def json_text(document: Any) -> str:
    """The document, with times in ISO 8601, and nothing that a terminal would act on."""
    text = json.dumps(document, ensure_ascii=False, indent=2, default=lambda time: time.isoformat())
    return CONTROLS.sub(
        lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text
    )


def print_json(document: Any) -> None:
    """The document, on stdout."""
    click.echo(json_text(document))
