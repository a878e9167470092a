"""Numbers and names in sentences."""

from collections.abc import Iterable, Sequence

_SHOWN = 5  # dumps


def count(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def dumps(dump_ids: Sequence[int]) -> str:
    """`dump 12`, or several, not all of many."""
    shown = ", ".join(map(str, dump_ids[:_SHOWN]))
    if len(dump_ids) > _SHOWN:
        shown += f" and {len(dump_ids) - _SHOWN:,} more"
    return f"dump {shown}" if len(dump_ids) == 1 else f"dumps {shown}"
