"""The commands that look back: tables as they were, and what changed since."""

import sys
from dataclasses import asdict
from typing import NoReturn

import click

from csq_assets.cli.options import DUMP, JSON, print_json, read_settings
from csq_assets.signals import SIGNALS


def rebuild_into(dump_id: int, into: str, tables: tuple[str, ...]) -> NoReturn:
    """`csq rebuild --as-of`."""
    from csq_assets.console.progress import SyncProgress
    from csq_assets.console.time_travel import show_as_of
    from csq_assets.time_travel import rebuild_as_of

    settings = read_settings()
    with SIGNALS.unwinding(), SyncProgress() as progress:
        rebuilt = rebuild_as_of(settings, dump_id, into, progress, tables=tables)
    show_as_of(rebuilt)
    sys.exit(rebuilt.exit_code)


@click.command()
@click.argument("first", type=DUMP, metavar="DUMP")
@click.argument("last", type=DUMP, metavar="DUMP")
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@JSON
def diff(*, first: int, last: int, tables: tuple[str, ...], as_json: bool) -> None:
    """Say why the rows of current tables changed from one dump to a later one, in the figures of
    their materializations. Of a single table, dump by dump.

    The tables are replayed from the lake into a temporary folder; nothing else is written.
    """
    from csq_assets.console.progress import SyncProgress
    from csq_assets.console.time_travel import show_diff
    from csq_assets.time_travel import compare_dumps

    settings = read_settings()
    with SIGNALS.unwinding(), SyncProgress() as progress:
        found = compare_dumps(settings, first, last, progress, tables=tables)
    if as_json:
        print_json(asdict(found))
    else:
        show_diff(found)
