"""Names and texts from outside in Dagster's UI, which renders descriptions as Markdown of GitHub's
kind: each stays what it is."""

import re

from csq_assets.errors import printable

_MARKUP = re.compile(r"[\\`*\[\]<>|~]|&(?=#|\w)|(?<![^\W_])_|_(?![^\W_])")
_ESCAPED = re.compile(r"\\([\\`*\[\]<>|~&_])")
# The UI makes links of addresses wherever they stand, escaped or not, but not through a word joiner.
_JOINER = "\u2060"
_ADDRESS = re.compile(r"https?:(?=//)|www(?=\.)|@(?=[-\w])", re.IGNORECASE)
_JOINED = re.compile(rf"(https?:|www|@){_JOINER}", re.IGNORECASE)


def plain(text: str) -> str:
    """Markdown that shows the text, in one line: control characters are escapes."""
    escaped = _MARKUP.sub(r"\\\g<0>", printable(text, len(text)))
    return _ADDRESS.sub(rf"\g<0>{_JOINER}", escaped)


def shown(markdown: str) -> str:
    """The text that `plain` was given, but for control characters."""
    return _ESCAPED.sub(r"\1", _JOINED.sub(r"\1", markdown))


def code(text: str) -> str:
    """Markdown that shows the text as code."""
    text = printable(text, len(text))
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    edge = " " if "`" in (text[:1], text[-1:]) else ""
    return f"{fence}{edge}{text}{edge}{fence}"
