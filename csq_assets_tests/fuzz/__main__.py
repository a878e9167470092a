"""Tries hostile input, and keeps what came of it.

make fuzz
"""

import subprocess
import sys
from datetime import UTC, datetime

import click

from csq_assets_tests.fuzz.kinds import KINDS
from csq_assets_tests.fuzz.worker import BOMBS, Found, explode, fuzz
from csq_assets_tests.torture.record import Tried, keep

PART = "Hostile input"
_DOCUMENTS, _FILES = 100_000, 10_000  # of each kind; files take longer


@click.command()
@click.option("--seed", default=1, show_default=True, help="Draws the inputs.")
@click.option(
    "--factor", default=1.0, show_default=True, help="More inputs, or fewer; 0 for bombs alone."
)
@click.option("--only", multiple=True, help="A kind of input; can be given several times.")
@click.option("--guided", default=0, help="So many inputs of each kind, drawn by atheris instead.")
@click.option("--bombs/--no-bombs", default=True, help="Set off bombs, too.")
@click.option("--write/--no-write", default=False, help="Keep the outcome in the record.")
def main(  # options
    seed: int, factor: float, only: tuple[str, ...], guided: int, *, bombs: bool, write: bool
) -> None:
    """Change documents and files, and set off bombs; exit code 1 where one is a fault."""
    if unknown := {*only} - {*KINDS}:
        raise click.UsageError(
            f"no such kind: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}"
        )
    outcomes: list[Tried] = []
    faults: list[str] = []
    today = datetime.now(UTC).date()
    command = f'make fuzz FUZZ="--seed {seed} --factor {factor:g}"'
    for kind, how in KINDS.items():
        if only and kind not in only:
            continue
        if guided:
            outcomes.append(tried := _guided(kind, guided))
            faults += [f"{tried.name}: see above"] * tried.differences
            continue
        inputs = round(factor * (_DOCUMENTS if how.compare is None else _FILES))
        trials: list[tuple[str, int | None, Found]] = []
        if inputs:
            trials.append((kind, seed, fuzz(kind, str(seed), inputs)))
        if bombs and how.bombs:
            trials.append((f"{BOMBS} as {kind}", None, explode(kind)))
        for name, drawn, found in trials:
            said = ", ".join(f"{count:,} {what}" for what, count in sorted(found.counts.items()))
            click.echo(f"{name}: {said}")
            faults += found.faults
            tried, refused, faulty = (
                *(found.counts.total(), found.counts["refused"], found.counts["fault"]),
            )
            outcomes.append(Tried(PART, name, tried, refused, faulty, command, today, drawn))
    for fault in faults:
        click.echo(fault, err=True)
    if write:
        keep(outcomes)
    sys.exit(bool(faults))


def _guided(kind: str, inputs: int) -> Tried:
    """Let atheris draw inputs by what of the code they reach. Its process ends with the first fault,
    which it prints."""
    arguments = (sys.executable, "-m", "csq_assets_tests.fuzz.guided", kind, "--runs", str(inputs))
    code = subprocess.run(arguments, check=False).returncode
    click.echo(f"{kind}, guided by coverage: {inputs:,} inputs, exit code {code}")
    name, today = f"{kind}, guided by coverage", datetime.now(UTC).date()
    command = f'make fuzz FUZZ="--guided {inputs}"'
    return Tried(PART, name, inputs, inputs, int(code != 0), command, today)


if __name__ == "__main__":
    main()
