"""python -m csq_assets_tests.torture: runs the trials that are named, or all of them."""

import sys
import tempfile
from pathlib import Path

import click

from csq_assets_tests.torture.record import Tried, keep
from csq_assets_tests.torture.shim import NoCompilerError
from csq_assets_tests.torture.trials import TRIALS, Options

_DEFAULTS = Options(Path())


@click.command(context_settings={"show_default": True})
@click.argument("names", nargs=-1, metavar="[TRIAL]...")
@click.option("--kills", default=_DEFAULTS.kills, help="Kills of each command.")
@click.option(
    "--requests", default=_DEFAULTS.requests, help="Requests through all faults, at least."
)
@click.option("--page-views", default=_DEFAULTS.page_views, help="In the delivery of a large day.")
@click.option("--seed", default=_DEFAULTS.seed, help="Draws what is hit.")
@click.option("--only", multiple=True, help="A row of the trial; can be given several times.")
@click.option(
    "--weed",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="SeaweedFS's program: storage faults are tried before its server, not moto's.",
)
@click.option("--folder", type=click.Path(path_type=Path), help="Where to work, and to go on.")
@click.option("--write", is_flag=True, help="Put what is found into docs/reliability.md.")
def main(  # noqa: PLR0913  # an argument for each option
    names: tuple[str, ...],
    *,
    kills: int,
    requests: int,
    page_views: int,
    seed: int,
    only: tuple[str, ...],
    weed: Path | None,
    folder: Path | None,
    write: bool,
) -> None:
    """Kill, fill the disk, let storage fail, and load csq_assets; then compare.

    Exit code 1 where something ended otherwise than promised.
    """
    if unknown := [name for name in names if name not in TRIALS]:
        raise click.UsageError(
            f"no such trial: {', '.join(unknown)}; there are {', '.join(TRIALS)}"
        )
    with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as temporary:
        options = Options(
            folder or Path(temporary), kills, requests, page_views, seed, only, weed, click.echo
        )
        options.folder.mkdir(parents=True, exist_ok=True)
        found: list[Tried] = []
        try:
            for name in names or TRIALS:
                for tried in TRIALS[name](options):
                    click.echo(
                        f"{tried.part}, {tried.name}: {tried.landed} landed of {tried.tried}, "
                        f"{tried.differences} differ"
                    )
                    found.append(tried)
                    if write:
                        keep([tried])
        except NoCompilerError as error:
            raise click.ClickException(str(error)) from None
    sys.exit(any(tried.differences for tried in found))


if __name__ == "__main__":
    main()
