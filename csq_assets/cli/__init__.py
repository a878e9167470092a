"""`csq`: arguments, exit codes, text to stderr, JSON to stdout. What it says stands in `console`.

Each command imports what it needs: Dagster alone takes longer than most of them.
"""

import gc
import sys
from typing import Any

import click

from csq_assets.attributes import named_by_attribute
from csq_assets.cli.forgetting import forget
from csq_assets.cli.inspection import doctor, report, status
from csq_assets.cli.passes import rebuild, sync
from csq_assets.cli.setup import init, sample
from csq_assets.cli.time_travel import diff
from csq_assets.environment import load_env_files
from csq_assets.errors import CsqError, SettingsError, UsageError, lack_of_memory_told
from csq_assets.signals import SignalError, leave


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


for _command in (sync, rebuild, diff, forget, status, report, doctor, init, sample):
    cli.add_command(_command)


def main() -> None:
    """What a user or a delivery did wrong is a sentence, not a traceback."""
    try:
        with lack_of_memory_told():
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
