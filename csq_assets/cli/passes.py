"""The commands that bring lake and current tables up to date."""

import sys
from dataclasses import asdict

import click

from csq_assets.cli.options import DUMP, JSON, print_json, read_settings
from csq_assets.cli.time_travel import rebuild_into
from csq_assets.errors import CsqError, UsageError
from csq_assets.signals import SIGNALS


@click.command()
@click.option(
    "--dump",
    "dump_id",
    type=DUMP,
    metavar="ID",
    help="Take this dump alone, also one that waits or was taken before.",
)
@JSON
def sync(*, dump_id: int | None, as_json: bool) -> None:
    """Do once, without a daemon, what the sensor does: decode and check every pending dump, refresh
    the current tables, and say what came of it. Dagster's instance records all of it.

    \b
    Exit codes: 0 success (warnings allowed)
                1 something failed; the rest succeeded
                2 wrong usage or settings
                3 nothing failed, but a check of severity ERROR did not pass
                130 interrupted, 143 terminated (SIGTERM)
    """
    from csq_assets.console.passes import show_sync
    from csq_assets.console.progress import SyncProgress
    from csq_assets.instance import open_instance, recording

    try:
        settings = read_settings()
        with open_instance() as instance:
            from csq_assets.sync import run_sync

            with SIGNALS.unwinding(), recording(), SyncProgress() as progress:
                summary = run_sync(settings, instance, progress, dump_id=dump_id)
    except CsqError as error:
        if as_json:  # one object on stdout, even where the pass could not begin
            print_json({"dumps": [], "checks": [], "standing": [], "errors": [str(error)]})
        raise
    if as_json:
        document = asdict(summary)
        print_json({key: document[key] for key in ("dumps", "checks", "standing", "errors")})
    show_sync(summary, settings)
    sys.exit(summary.exit_code)


@click.command()
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option(
    "--accept-lake",
    is_flag=True,
    help="Even from a lake that is not the one that the DuckDB file was filled from.",
)
@click.option(
    "--as-of",
    "as_of",
    type=DUMP,
    metavar="DUMP",
    help="As they were after that dump. The tables in use stay as they are.",
)
@click.option("--into", metavar="FILE", help="The new DuckDB file that --as-of fills.")
def rebuild(
    *, tables: tuple[str, ...], accept_lake: bool, as_of: int | None, into: str | None
) -> None:
    """Drop current tables and replay them from the lake; all, if none is named.

    With --as-of and --into, replay them into another file instead, as they were.
    """
    if as_of is not None and into is not None and not accept_lake:
        rebuild_into(as_of, into, tables)
    if as_of is not None or into is not None:
        raise UsageError(
            "--as-of and --into belong together, and without --accept-lake",
            remedy="Write csq rebuild --as-of DUMP --into FILE.",
        )
    from csq_assets.instance import open_instance, recording

    settings = read_settings()
    with open_instance() as instance:
        from csq_assets.console.passes import show_rebuild
        from csq_assets.console.progress import SyncProgress
        from csq_assets.sync import run_rebuild

        with SIGNALS.unwinding(), recording(), SyncProgress() as progress:
            summary = run_rebuild(
                settings, instance, progress, tables=tables, accept_lake=accept_lake
            )
    show_rebuild(summary)
    sys.exit(summary.exit_code)
