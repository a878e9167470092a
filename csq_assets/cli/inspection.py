"""The commands that look, and change nothing but what they are asked to repair."""

import sys
from dataclasses import asdict
from datetime import UTC, datetime

import click

from csq_assets.cli.options import JSON, print_json, read_settings, variables
from csq_assets.signals import SIGNALS


@click.command()
@JSON
def status(*, as_json: bool) -> None:
    """Dumps, tables, the last and the next sync, failing checks. The export is not looked at."""
    from csq_assets.console.inspection import show_status
    from csq_assets.status import read_status

    found = read_status(read_settings())
    if as_json:
        print_json(asdict(found))
    else:
        show_status(found)


@click.command()
@click.option(
    "--out",
    default="csq-report.html",
    show_default=True,
    metavar="FILE",
    help="Where to write it; - is stdout.",
)
def report(*, out: str) -> None:
    """Write a page that says whether all is fine, with charts: to mail or to put into a bucket."""
    from csq_assets.console.inspection import show_report
    from csq_assets.report import write_report

    show_report(write_report(read_settings(), out, datetime.now(UTC)).headline, out)


@click.command()
@click.option(
    "--repair",
    is_flag=True,
    help="Write lost or damaged records of the lake again, from its manifests and partitions.",
)
def doctor(*, repair: bool) -> None:
    """Test the settings and every permission that is needed, one line each, with the remedy."""
    from csq_assets.console.inspection import show_probe
    from csq_assets.doctor import examine, repair_lake

    codes = []
    with SIGNALS.unwinding():
        for probe in (
            repair_lake(read_settings()) if repair else examine(read_settings, variables())
        ):
            show_probe(probe)
            codes.append(probe.exit_code)
    sys.exit(max(codes))
