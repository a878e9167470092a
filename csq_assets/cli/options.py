"""What several commands take, and how they answer a program."""

import json
import os
from collections.abc import Mapping
from typing import Any

import click

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


def print_json(document: Any) -> None:
    """The document, on stdout."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))
