"""Numbers and names in sentences."""

from collections.abc import Iterable, Sequence

_SHOWN = 5


def count(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def dumps(dump_ids: Sequence[int]) -> str:
    """`dump 12`, or several, not all of many."""
    return listed("dump", dump_ids)


def listed(noun: str, things: Sequence[object]) -> str:
    """`table users`, or `tables users, sessions`, not all of many."""
    shown = ", ".join(map(str, things[:_SHOWN]))
    if len(things) > _SHOWN:
        shown += f" and {len(things) - _SHOWN:,} more"
    return f"{noun} {shown}" if len(things) == 1 else f"{noun}s {shown}"
