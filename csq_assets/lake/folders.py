"""Which folder of the lake holds a table: its name, in any script, where a folder can have it."""

import hashlib
from urllib.parse import quote, unquote

_LONGEST = 255  # bytes, of most file systems
_CUT = "%~"  # no encoding gives it


def folder_of(table: str) -> str:
    """The name with what no folder, glob or terminal takes encoded as in a URL. One that is longer
    than 255 bytes is cut, and ends with a digest.
    """
    folder = _encoded(table)
    if len(folder.encode()) <= _LONGEST:
        return folder
    end = _CUT + hashlib.sha256(table.encode()).hexdigest()[:16]
    kept = table[:_LONGEST]
    while len((folder := _encoded(kept) + end).encode()) > _LONGEST:
        kept = kept[:-1]
    return folder


def table_of(folder: str) -> str:
    """The table of a folder whose name is not cut."""
    return unquote(folder)


def is_cut(folder: str) -> bool:
    """Whether the folder's name alone does not tell its table."""
    return _CUT in folder


def _encoded(name: str) -> str:
    if name in (".", ".."):
        return name.replace(".", "%2E")
    return "".join(
        character
        if not character.isascii() and character.isprintable()
        else quote(character, " +@")
        for character in name
    )
