"""Delivered values as a raw table holds them: ids as Int64, everything else as text.

Twice: for single Python values, which is the definition, and for Polars columns, which must agree.
Source: contract.md, "Raw tables"; export-format.md, edge cases 31 to 34.
"""

import base64
import json
import re
from decimal import Decimal
from typing import Any

import polars as pl

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_MOST_DIGITS = 19
_SHOWN = 60  # characters of a value, in a message
_PLAIN_FROM, _PLAIN_TO = 1e-4, 1e16
_INTEGER = re.compile(r"-?[0-9]+")
_encode = json.JSONEncoder(ensure_ascii=False).encode


class NotAnIdError(ValueError):
    """A value that is not a 64-bit integer."""

    def __init__(self, value: Any) -> None:
        shown = repr(value)
        super().__init__(shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}...")


def text_of(value: Any) -> str | None:
    """A value as text: as `json.dumps` spells it, but a text stays as it is, and null stays null.

    Bytes are read as UTF-8, or else spelled in base64; decimals are numbers with their scale. Both
    inside JSON too.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return _text_of_bytes(value)
    return _json_of(value)


def _json_of(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_json_of, value))}]"
    if isinstance(value, dict):
        pairs = (f"{_encode(key)}:{_json_of(item)}" for key, item in value.items())
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return _encode(_text_of_bytes(value) if isinstance(value, bytes) else value)


def id_of(value: Any) -> int | None:
    """A value as an id. Raises NotAnIdError, also for a fraction, a boolean, and bytes."""
    if value is None:
        return None
    if isinstance(value, Decimal):
        value = text_of(value)  # an integer where its scale is 0
    if isinstance(value, int) and not isinstance(value, bool):
        return _within_64_bits(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        digits = value.lstrip("-").lstrip("0")
        if len(digits) <= _MOST_DIGITS:  # Python refuses to read thousands of them
            number = int(digits or "0")
            return _within_64_bits(-number if value.startswith("-") else number)
    raise NotAnIdError(value)


def replace_invalid(stored: bytes | bytearray) -> tuple[str, int]:
    """The text with U+FFFD for each sequence that is not UTF-8, and the number of these."""
    text = stored.decode("utf-8", "replace")
    return text, text.count("\ufffd") - stored.count("\ufffd".encode())


def decoded_texts(stored: pl.Series) -> tuple[pl.Series, list[tuple[int, int]]]:
    """The column; a Binary one as String, with `replace_invalid` where it is not UTF-8.

    The pairs give the index of each such text, and the number of its sequences.
    """
    if stored.dtype != pl.Binary:
        return stored, []
    try:
        return stored.cast(pl.String), []
    except pl.exceptions.ComputeError:
        read = [(None, 0) if one is None else replace_invalid(one) for one in stored.to_list()]
    replaced = [(index, sequences) for index, (_, sequences) in enumerate(read) if sequences]
    return pl.Series([text for text, _ in read], dtype=pl.String), replaced


def texts_of(column: pl.Series) -> pl.Series:
    """`text_of` for a column of strings, integers, floats or booleans."""
    if column.dtype == pl.String:
        return column
    if column.dtype.is_float():
        return _float_texts(column.cast(pl.Float64))
    return column.cast(pl.String)


def ids_of(column: pl.Series) -> pl.Series:
    """`id_of` for a column of strings, integers, floats or booleans. Raises NotAnIdError."""
    if column.dtype == pl.Int64:
        return column
    if column.dtype == pl.String:
        plain = column.str.contains(r"^-?[0-9]{1,18}$")
        if plain.all():  # nulls left out
            return column.cast(pl.Int64)
    return pl.Series([id_of(value) for value in column.to_list()], dtype=pl.Int64)


def _float_texts(column: pl.Series) -> pl.Series:
    # In this range Polars spells as Python does, and faster; outside it says 0.00001 for 1e-05,
    # and inf for Infinity.
    size = column.abs()
    plain = ((size >= _PLAIN_FROM) & (size < _PLAIN_TO)) | (size == 0) | column.is_null()
    texts = column.cast(pl.String)
    odd = (~plain).arg_true()
    if len(odd) == 0:
        return texts
    return texts.scatter(odd, [text_of(value) for value in column.gather(odd).to_list()])


def _text_of_bytes(value: Any) -> str:
    try:
        return bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(value).decode("ascii")


def _within_64_bits(number: int) -> int:
    if not _SMALLEST <= number <= _LARGEST:
        raise NotAnIdError(number)
    return number
