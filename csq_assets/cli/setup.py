"""The commands to begin with."""

from datetime import UTC, datetime
from pathlib import Path

import click


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def init(*, directory: Path) -> None:
    """Write dagster.yaml, workspace.yaml and an annotated .env into DIRECTORY, for DAGSTER_HOME.

    It replaces no file. In the folder of a Dagster project it writes dagster.yaml alone.
    """
    from csq_assets.component_file import is_project
    from csq_assets.console.setup import show_init
    from csq_assets.home import write_home

    show_init(write_home(directory, is_project=is_project(directory)), directory)


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--dumps", default=4, show_default=True, type=click.IntRange(min=1))
@click.option("--users", default=500, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=7, show_default=True, type=int)
def sample(*, directory: Path, dumps: int, users: int, seed: int) -> None:
    """Write a made-up export, in the layout of a real one, into DIRECTORY."""
    from csq_assets.console.setup import show_sample
    from csq_assets.sample import write_sample

    summary = write_sample(directory, dumps=dumps, users=users, seed=seed, now=datetime.now(UTC))
    show_sample(summary, directory)
