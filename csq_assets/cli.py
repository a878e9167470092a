"""`csq`: arguments, exit codes, text to stderr, JSON to stdout. What it says stands in console.py."""

import gc
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from csq_assets.attributes import named_by_attribute
from csq_assets.errors import CsqError, SettingsError, UsageError
from csq_assets.settings import Settings, load_env_files
from csq_assets.signals import SIGNALS, SignalError, leave

# Each command imports what it needs: Dagster alone takes longer than most of them.
# ruff: noqa: PLC0415

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        """Errors name attributes, where a component was named."""
        try:
            return super().invoke(ctx)
        except CsqError as error:
            raise named_by_attribute(error) if ctx.obj else error from None


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--component",
    metavar="NAME",
    help="Work on this component of a Dagster project: its folder, or the path of its defs.yaml.",
)
@click.version_option(package_name="csq-assets", prog_name="csq")
@click.pass_context
def cli(context: click.Context, *, component: str | None) -> None:
    """Contentsquare Data Connect exports as Dagster assets.

    Settings are environment variables, or those of a component: csq doctor shows and tests them.
    """
    context.obj = component
    load_env_files()


def _settings() -> Settings:
    """Those of the component that was named, or else of the environment."""
    component = click.get_current_context().obj
    if component is None:
        return Settings.from_environment()
    from csq_assets.component_file import read_component

    return read_component(component)


@cli.command()
@click.option(
    "--dump",
    "dump_id",
    type=click.IntRange(min=0),
    metavar="ID",
    help="Take this dump alone, also one that waits or was taken before.",
)
@_JSON
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
    from csq_assets.console import SyncProgress, show_sync
    from csq_assets.instance import open_instance, recording

    try:
        settings = _settings()
        with open_instance() as instance:
            from csq_assets.sync import run_sync

            with SIGNALS.unwinding(), recording(), SyncProgress() as progress:
                summary = run_sync(settings, instance, progress, dump_id=dump_id)
    except CsqError as error:
        if as_json:  # one object on stdout, even where the pass could not begin
            _print_json({"dumps": [], "checks": [], "standing": [], "errors": [str(error)]})
        raise
    if as_json:
        document = asdict(summary)
        _print_json({key: document[key] for key in ("dumps", "checks", "standing", "errors")})
    show_sync(summary, settings)
    sys.exit(summary.exit_code)


@cli.command()
@click.argument("tables", nargs=-1, metavar="[TABLE]...")
@click.option(
    "--accept-lake",
    is_flag=True,
    help="Even from a lake that is not the one that the DuckDB file was filled from.",
)
def rebuild(*, tables: tuple[str, ...], accept_lake: bool) -> None:
    """Drop current tables and replay them from the lake; all, if none is named."""
    from csq_assets.instance import open_instance, recording

    settings = _settings()
    with open_instance() as instance:
        from csq_assets.console import SyncProgress, show_rebuild
        from csq_assets.sync import run_rebuild

        with SIGNALS.unwinding(), recording(), SyncProgress() as progress:
            summary = run_rebuild(
                settings, instance, progress, tables=tables, accept_lake=accept_lake
            )
    show_rebuild(summary)
    sys.exit(summary.exit_code)


@cli.command()
@_JSON
def status(*, as_json: bool) -> None:
    """Dumps, tables, the last and the next sync, failing checks. The export is not looked at."""
    from csq_assets.console import show_status
    from csq_assets.status import read_status

    found = read_status(_settings())
    if as_json:
        _print_json(asdict(found))
    else:
        show_status(found)


@cli.command()
@click.option(
    "--out",
    default="csq-report.html",
    show_default=True,
    metavar="FILE",
    help="Where to write it; - is stdout.",
)
def report(*, out: str) -> None:
    """Write a page that says whether all is fine, with charts: to mail or to put into a bucket."""
    from csq_assets.console import show_report
    from csq_assets.report import write_report

    show_report(write_report(_settings(), out, datetime.now(UTC)).headline, out)


@cli.command()
@click.option(
    "--repair",
    is_flag=True,
    help="Write lost or damaged records of the lake again, from its manifests and partitions.",
)
def doctor(*, repair: bool) -> None:
    """Test the settings and every permission that is needed, one line each, with the remedy."""
    from csq_assets.console import show_probe
    from csq_assets.doctor import examine, repair_lake

    codes = []
    with SIGNALS.unwinding():
        for probe in repair_lake(_settings()) if repair else examine(_settings):
            show_probe(probe)
            codes.append(probe.exit_code)
    sys.exit(max(codes))


@cli.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def init(*, directory: Path) -> None:
    """Write dagster.yaml, workspace.yaml and an annotated .env into DIRECTORY, for DAGSTER_HOME.

    It replaces no file. In the folder of a Dagster project it writes dagster.yaml alone.
    """
    from csq_assets.component_file import is_project
    from csq_assets.console import show_init
    from csq_assets.home import write_home

    show_init(write_home(directory, is_project=is_project(directory)), directory)


@cli.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--dumps", default=4, show_default=True, type=click.IntRange(min=1))
@click.option("--users", default=500, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=7, show_default=True, type=int)
def sample(*, directory: Path, dumps: int, users: int, seed: int) -> None:
    """Write a made-up export, in the layout of a real one, into DIRECTORY."""
    from csq_assets.console import show_sample
    from csq_assets.sample import write_sample

    summary = write_sample(directory, dumps=dumps, users=users, seed=seed, now=datetime.now(UTC))
    show_sample(summary, directory)


def main() -> None:
    """What a user or a delivery did wrong is a sentence, not a traceback."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SignalError as error:
        leave(error)
    except CsqError as error:
        click.echo(f"csq: {error}", err=True)
        sys.exit(2 if isinstance(error, SettingsError | UsageError) else 1)
    finally:
        # Else Python goes through everything that is left, more than once, before it ends.
        gc.freeze()


def _print_json(document: Any) -> None:
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
