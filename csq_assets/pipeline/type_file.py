"""The file that CSQ_TYPES names. Each pass reads it, so that a change counts from the next one on."""

from pathlib import Path

from csq_assets.dataconnect.chosen_types import ChosenTypes, parse_chosen_types
from csq_assets.places import wrong


def read_chosen_types(path: Path | None) -> ChosenTypes:
    """What the file says; nothing without one. Raises SettingsError, naming the line."""
    if path is None:
        return ChosenTypes()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise wrong("CSQ_TYPES", f"{path} cannot be read: {reason}", "Name a TOML file.") from None
    return parse_chosen_types(text, str(path))
