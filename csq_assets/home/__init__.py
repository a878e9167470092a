"""`csq init`: makes a folder that DAGSTER_HOME can name. The repository's own is one, by links."""

import textwrap
from importlib.resources import files
from pathlib import Path

from csq_assets.errors import UsageError
from csq_assets.settings import Settings

_DAGSTERS = ("dagster.yaml", "workspace.yaml")
_ABOUT = """\
Settings of csq_assets. Remove the "#" before a variable to set it.

csq, dagster dev and dg dev read this file where they start; csq and the code location also read it in \
DAGSTER_HOME. csq prefers a variable that the environment sets.

Relative paths count from the folder in which a command runs. Credentials, region and endpoint are the \
AWS SDK's own variables: AWS_PROFILE, AWS_ENDPOINT_URL_S3, and so on."""


def write_home(directory: Path, *, is_project: bool = False) -> tuple[str, ...]:
    """Write `dagster.yaml`, `workspace.yaml` and `.env` into `directory`; gives their names. In a
    Dagster project `dagster.yaml` alone: what to load and where exports are, it says itself.

    Raises UsageError where one is there already, and then writes nothing; or where the directory
    cannot be written.
    """
    texts = {name: files(__name__).joinpath(name).read_text() for name in _DAGSTERS}
    texts[".env"] = _annotated_settings()
    if is_project:
        texts = {"dagster.yaml": texts["dagster.yaml"]}
    if present := [name for name in texts if (directory / name).exists()]:
        raise UsageError(
            f"{directory.absolute()} already has {', '.join(present)}",
            remedy=f"Choose another folder, or move {'it' if len(present) == 1 else 'them'} away.",
        )
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (directory / name).write_text(text)
    except OSError as error:
        raise UsageError(
            f"{directory.absolute()} cannot be written: {error.strerror}",
            remedy="Choose a folder that can be written.",
        ) from error
    return tuple(texts)


def _annotated_settings() -> str:
    parts = [_comment(paragraph) for paragraph in _ABOUT.split("\n\n")]
    for variable, default, meaning in Settings.documented():
        parts.append(f"{_comment(meaning)}\n#{variable}={default or ''}")
    return "\n\n".join(parts) + "\n"


def _comment(text: str) -> str:
    return textwrap.fill(
        text, 100, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
