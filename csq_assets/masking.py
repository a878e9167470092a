"""Keeps secrets out of texts that are passed on."""

import os
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

_HIDDEN = "***"
_SHORTEST = 6  # a shorter secret would hide parts of ordinary words
_SECRET_NAME = re.compile(r"secret|token|password|passwd|credential$", re.IGNORECASE)
_IN_PROFILE = re.compile(r"^\s*(\w+)\s*[=:]\s*(\S.*?)\s*$", re.MULTILINE)
_USER_OF_URL = re.compile(r"(?<=://)[^/\s@\"']+(?=@)")
_PROFILE_FILES = {
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
    "AWS_CONFIG_FILE": "~/.aws/config",
}

_told: set[str] = set()


def hide(*secrets: str | None) -> None:
    """Mask these from now on, as if they stood in the environment."""
    _told.update(secret for secret in secrets if secret)


def masked(text: str) -> str:
    """The text with `***` for every secret of the environment, of AWS's profiles, of URLs, and for
    those given to `hide`."""
    spelled = {spelling for secret in _known() for spelling in _spellings(secret)}
    for secret in sorted(spelled, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return _USER_OF_URL.sub(_HIDDEN, text)


def is_secret(name: str) -> bool:
    """Whether a variable or a property of that name keeps a secret."""
    return _SECRET_NAME.search(name) is not None


def strip_aws_variables() -> None:
    """Take blanks off the ends of AWS_* variables, as files of secrets bring them; what is blank
    counts as not set. The SDK would send them, and print them where that fails.
    """
    for name, value in list(os.environ.items()):
        if name.startswith("AWS_") and value != value.strip():
            os.environ[name] = value.strip()
            if not value.strip():
                del os.environ[name]


def _known() -> Iterator[str]:
    yield from _told
    for name, value in os.environ.items():
        yield from _secret(name, value)
        if "://" in value and "@" in value:  # whatever stands before the last @, a / too
            user = value.partition("://")[2].rpartition("@")[0]
            yield from (user, user.partition(":")[2])
    for variable, default in _PROFILE_FILES.items():
        for name, value in _IN_PROFILE.findall(_read(os.environ.get(variable) or default)):
            yield from _secret(name, value)


def _secret(name: str, value: str) -> Iterator[str]:
    """What a variable or a line of a profile keeps secret: its value, or the file that it names."""
    if is_secret(name):
        yield _read(value) if name.lower().endswith("_file") else value


def _read(path: str) -> str:
    file = Path(path).expanduser()
    try:
        return file.read_text(errors="replace") if file.is_file() else ""
    except (OSError, ValueError):
        return ""


def _spellings(secret: str) -> Iterator[str]:
    """The secret as it stands, and as Python, URLs and Basic authentication write it."""
    bare = secret.strip()
    if len(bare) >= _SHORTEST:
        yield from (bare, repr(bare)[1:-1], repr(bare.encode(errors="replace"))[2:-1])
        yield from (quote(bare), quote(bare, safe=""), unquote(bare))
        yield from (_base64(bare), _base64(unquote(bare)))


def _base64(text: str) -> str:
    return b64encode(text.encode(errors="replace")).decode()
