"""Sentences and tables, and the words in them."""

from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from csq_assets.attributes import in_attributes
from csq_assets.errors import printable

STYLES = {"applied": "green", "failed": "red", "held": "yellow", "void": "dim"}
STYLES |= {"ERROR": "red", "WARN": "yellow", "ok": "green"}

console = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str | Text, console: Console = console) -> None:
    """One line."""
    if isinstance(text, Text):  # its styles are at the beginning, so they stay in place
        text.plain = printable(_worded(text.plain))
    console.print(text if isinstance(text, Text) else Text(printable(_worded(text))))


def show_rows(
    columns: Sequence[str], rows: Sequence[tuple[str, ...]], right: Sequence[str]
) -> None:
    """A table; the columns of `right` are numbers. Nothing where there are no rows."""
    if not rows:
        return
    if not console.is_terminal:
        for row in rows:
            say("  ".join(f"{name} {value}" for name, value in zip(columns, row, strict=True)))
        return
    table = Table()
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left")
    for row in rows:
        table.add_row(*(Text(printable(value), style=STYLES.get(value, "")) for value in row))
    console.print(table)


def count(number: int, noun: str) -> str:
    """`1 dump`, `2 dumps`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _worded(text: str) -> str:
    """With the names of attributes, where a component was named."""
    context = click.get_current_context(silent=True)
    return in_attributes(text) if context and context.obj else text
