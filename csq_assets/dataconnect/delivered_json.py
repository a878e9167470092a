"""JSON as Contentsquare delivers it, within bounds."""

import json
from collections.abc import Callable
from typing import Any

from csq_assets.errors import DeliveryError

MAX_BYTES = 64 * 1024 * 1024
# A value in memory takes up to a hundred times its bytes, and all but one stand before a comma.
_MOST_COMMAS = 1_000_000


def refuse_oversized(size_bytes: int, error: Callable[[str], DeliveryError]) -> None:
    """Raise what `error` makes of a sentence for a document that is too large to be read."""
    if size_bytes > MAX_BYTES:
        raise error(f"it has {size_bytes:,} bytes; the most is {MAX_BYTES:,}")


def refuse_too_many_values(body: bytes, error: Callable[[str], DeliveryError]) -> None:
    """The same for one that would take more memory than its size accounts for, once it is read."""
    refuse_oversized(len(body), error)
    if (commas := body.count(b",")) > _MOST_COMMAS:
        raise error(f"it has {commas:,} commas; the most is {_MOST_COMMAS:,}")


def read_json(body: bytes, error: Callable[[str], DeliveryError]) -> tuple[str, Any]:
    """The text, without its byte order mark if it has one, and the value that it stands for.

    Raises what `error` makes of a sentence where it is not JSON in UTF-8, or too much of it.
    """
    refuse_too_many_values(body, error)
    try:
        text = body.decode("utf-8-sig")
        return text, json.loads(text)
    except UnicodeDecodeError as wrong:
        raise error(f"not UTF-8: {wrong}") from None
    except (ValueError, RecursionError) as wrong:
        raise error(f"not JSON: {wrong}") from None
