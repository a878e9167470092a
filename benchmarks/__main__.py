"""python -m benchmarks: runs the cases that are named, or all of them."""

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from benchmarks.catalog import case_names, find_case
from benchmarks.document import with_tables
from benchmarks.measure import FailedError
from benchmarks.record import Recorded, this_machine, write_record
from benchmarks.report import print_result
from benchmarks.results import Result, Sizes

_REPOSITORY = Path(__file__).parent.parent
_FOLDER = _REPOSITORY / "data" / "bench"
_RECORDS = _REPOSITORY / "benchmarks" / "results.json"
_DOCUMENT = _REPOSITORY / "docs" / "performance.md"
_WIDTH = 140  # where what is printed goes to a file
_DEFAULTS = Sizes()


@click.command(context_settings={"show_default": True})
@click.argument("names", nargs=-1, metavar="[CASE]...")
@click.option("--rows", default=_DEFAULTS.rows, help="Page views, where a case decodes many.")
@click.option("--rounds", default=_DEFAULTS.rounds, help="Times that each contestant runs.")
@click.option("--small-files", default=_DEFAULTS.small_files, help="Files of the case small_files.")
@click.option(
    "--history",
    "histories",
    multiple=True,
    type=int,
    default=_DEFAULTS.histories,
    help="Rows of a current table before the increment comes; can be given several times.",
)
@click.option(
    "--memory-rows",
    multiple=True,
    type=int,
    default=_DEFAULTS.memory_rows,
    help="Page views of the case memory; can be given several times.",
)
@click.option(
    "--sync-rows",
    multiple=True,
    type=int,
    default=_DEFAULTS.sync_rows,
    help="Page views of the case sync; can be given several times.",
)
@click.option("--dumps", default=_DEFAULTS.dumps, help="Dumps, where a case takes many.")
@click.option(
    "--beside",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="A checkout of another version, which the case profile runs as well.",
)
@click.option(
    "--peers/--no-peers",
    default=_DEFAULTS.peers,
    help="Install what is measured beside csq_assets.",
)
@click.option("--list", "only_list", is_flag=True, help="Name the cases, and measure nothing.")
@click.option("--write", is_flag=True, help="Put what is found into docs/performance.md.")
def main(
    names: tuple[str, ...],
    *,
    only_list: bool,
    write: bool,
    **sizes: int | tuple[int, ...] | Path | None,
) -> None:
    """Measure csq_assets beside what else there is.

    Exit code 1 where a case failed; the others are measured all the same.
    """
    known = case_names()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    if unknown := [name for name in names if name not in known]:
        raise click.UsageError(f"no such case: {', '.join(unknown)}; there are {', '.join(known)}")
    if only_list:
        for name in known:
            console.print(f"{name:14} {find_case(name).title}")
        return
    failed = False
    for name in names or known:
        try:
            result = _measure(name, Sizes(**sizes), console)  # pyright: ignore[reportArgumentType]
            if write:
                _write(result)
        except FailedError as error:
            console.print(f"\n{name} failed: {error}", style="red", markup=False)
            failed = True
            continue
        print_result(result, console)
    sys.exit(1 if failed else 0)


def _measure(name: str, sizes: Sizes, console: Console) -> Result:
    case = find_case(name)
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=f"{name}-", dir=_FOLDER) as folder,
        console.status(f"{name}: {case.title}"),
    ):
        return case.measure(sizes, Path(folder))


def _write(result: Result) -> None:
    today = datetime.now(UTC).date()
    records = write_record(_RECORDS, Recorded(today, this_machine(), result))
    text = _DOCUMENT.read_text(encoding="utf-8")
    _DOCUMENT.write_text(with_tables(text, records), encoding="utf-8")


if __name__ == "__main__":
    main()
