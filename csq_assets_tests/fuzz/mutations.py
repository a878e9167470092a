"""Changes to documents and bytes, drawn from a seeded source."""

import copy
import json
from collections.abc import Callable
from random import Random
from typing import Any

from csq_assets_tests.hostile_names import HOSTILE_NAMES

NUMBERS = (-1, 0, 1, 2**31, 2**40, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 10**400)
VALUES: tuple[Any, ...] = (
    *(None, True, False, "", 0.5, -0.0, 1e308, float("inf"), float("nan"), [], {}, [[]]),
    *("long", "record", "null", "\ud800", "9" * 5_000, "x" * 70_000),
    *NUMBERS,
    *HOSTILE_NAMES,
)
_MOST_COPIES = 200
# What JSON is made of has no such depth: these stand for it.
_NESTED = {
    f"nested {kind} {depth}": kind[0] * depth + "1" + kind[1] * depth
    for kind in ("[]", ('{"a":', "}"), ('{"type":', "}"))
    for depth in (100, 10_000)
}


def change_bytes(body: bytes, chance: Random) -> bytes:
    """Some bytes flipped, cut, doubled, put elsewhere or overwritten."""
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        if not body:
            return chance.randbytes(chance.randrange(40))
        start = chance.randrange(len(body))
        end = min(len(body), start + chance.choice((1, 1, 2, 4, 16, 200)))
        part = body[start:end]
        put = chance.choice(
            (
                bytes(byte ^ chance.randrange(256) for byte in part),
                b"",
                part * chance.choice((2, 3, 50)),
                chance.randbytes(len(part)),
                bytes([chance.choice((0, 1, 0x7F, 0x80, 0xFF))]) * len(part),
                chance.choice((b'"', b"\\", b"\n", b"\0", b"{", b"[", b",", b"\xed\xa0\x80")),
            )
        )
        body = body[:start] + put + body[end:]
        if chance.random() < 0.1:
            body = body[: chance.randrange(len(body) + 1)]
    return body


def change_document(document: Any, chance: Random) -> Any:
    """A JSON document with some of its values replaced, renamed, removed, repeated or wrapped."""
    document = copy.deepcopy(document)
    for _ in range(chance.choice((1, 1, 2, 4))):
        holders = list(_holders(document))
        if not holders:
            return chance.choice(VALUES)
        holder = chance.choice(holders)
        places = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        chance.choice(_CHANGES)(holder, chance.choice(places), chance)
    return document


def change_json(document: Any, chance: Random) -> bytes:
    """The document's JSON: half of the time its values are changed, else its bytes."""
    if chance.random() < 0.5:
        return change_bytes(json.dumps(document).encode(), chance)
    return spelled(change_document(document, chance)).encode()


def spelled(document: Any) -> str:
    """Its JSON, with values that are nested more deeply than Python writes them."""
    text = json.dumps(document)
    for stands_for, nested in _NESTED.items():
        text = text.replace(json.dumps(stands_for), nested)
    return text


def _holders(document: Any) -> Any:
    if isinstance(document, dict | list) and document:
        yield document
        for value in document.values() if isinstance(document, dict) else document:
            yield from _holders(value)


def _replace(holder: Any, place: Any, chance: Random) -> None:
    holder[place] = copy.deepcopy(chance.choice(VALUES))


def _remove(holder: Any, place: Any, _: Random) -> None:
    del holder[place]


def _rename(holder: Any, place: Any, chance: Random) -> None:
    if isinstance(holder, dict):
        name = chance.choice((*HOSTILE_NAMES, "name", "type", "size", "scale"))
        holder[name] = copy.deepcopy(holder[place])


def _repeat(holder: Any, place: Any, chance: Random) -> None:
    if isinstance(holder, list):
        copies = chance.randrange(1, _MOST_COPIES)
        holder[place:place] = [copy.deepcopy(holder[place]) for _ in range(copies)]


def _wrap(holder: Any, place: Any, chance: Random) -> None:
    holder[place] = chance.choice(([holder[place]], {"type": holder[place]}, *_NESTED))


def _swap(holder: Any, place: Any, chance: Random) -> None:
    other = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
    holder[place], holder[other] = copy.deepcopy(holder[other]), holder[place]


_CHANGES: tuple[Callable[[Any, Any, Random], None], ...] = (
    *(_replace, _replace, _remove, _rename, _repeat, _wrap, _swap),
)
