"""JSON as Contentsquare delivers it: sync reports and property definitions."""

import json
from collections.abc import Callable
from typing import Any

from csq_assets.errors import DeliveryError


def read_json(body: bytes, error: Callable[[str], DeliveryError]) -> tuple[str, Any]:
    """The text, without its byte order mark if it has one, and the value that it stands for.

    Raises what `error` makes of a sentence where it is not JSON in UTF-8.
    """
    try:
        text = body.decode("utf-8-sig")
        return text, json.loads(text)
    except UnicodeDecodeError as wrong:
        raise error(f"not UTF-8: {wrong}") from None
    except (ValueError, RecursionError) as wrong:
        raise error(f"not JSON: {wrong}") from None
