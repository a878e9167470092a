"""Files with settings: `.env` in the current directory and in DAGSTER_HOME."""

import os
from pathlib import Path

from csq_assets.errors import SettingsError


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
