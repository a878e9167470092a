"""What commands start from: DAGSTER_HOME, and files `.env` in the current directory and in it."""

import os
from collections.abc import Mapping
from pathlib import Path

from csq_assets.errors import SettingsError
from csq_assets.places import absolute_path, wrong


def load_env_files() -> None:
    """Take variables that are not set from `.env` in the current directory, then in DAGSTER_HOME.

    Raises SettingsError where such a file cannot be read.
    """
    load_env_file(Path.cwd())
    if home := os.environ.get("DAGSTER_HOME", "").strip():
        load_env_file(Path(home).expanduser())


def load_env_file(folder: Path) -> None:
    """Take variables that are not set from `.env` in the folder, if it has one.

    Raises SettingsError where it cannot be read.
    """
    file = folder / ".env"
    if not file.is_file():
        return
    from dotenv import load_dotenv  # noqa: PLC0415  # most folders have none

    try:
        load_dotenv(file)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"cannot be read: {error}", where={"file": str(file)}, remedy="Correct or delete it."
        ) from error


def dagster_home(environment: Mapping[str, str] | None = None) -> Path:
    """The folder that holds `dagster.yaml`: DAGSTER_HOME, or else the current directory.

    Raises SettingsError where there is no such file.
    """
    given = os.environ if environment is None else environment
    home = absolute_path("DAGSTER_HOME", given.get("DAGSTER_HOME", "").strip() or str(Path.cwd()))
    if not (home / "dagster.yaml").is_file():
        raise wrong(
            "DAGSTER_HOME",
            f"there is no dagster.yaml in {home}",
            "Create one with csq init, run csq in the folder that has one, or set DAGSTER_HOME to it.",
        )
    return home


def set_default_dagster_home() -> None:
    """Let Dagster find its instance from the current directory, if that has a `dagster.yaml`."""
    if not os.environ.get("DAGSTER_HOME") and Path("dagster.yaml").is_file():
        os.environ["DAGSTER_HOME"] = str(Path.cwd())
