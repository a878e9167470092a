"""Numbers and names in sentences."""

from collections.abc import Iterable


def count(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
