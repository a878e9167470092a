"""Inputs that grow by what of the code they reach: atheris beside the mutations that know the formats.

`python -m csq_assets_tests.fuzz.guided manifests --runs 100000`, with `pip install atheris` before.
"""

import importlib
import sys
from random import Random
from typing import Any

import click

from csq_assets_tests.memory_limit import limit_memory

_DRAWN = 0.1  # of the inputs
_MOST_BYTES = 4_096


@click.command()
@click.argument("kind")
@click.option("--runs", default=100_000, show_default=True)
def main(kind: str, runs: int) -> None:
    """Judge so many inputs of a kind; a traceback names the one that is a fault."""
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        raise click.ClickException("atheris is not installed: pip install atheris") from None
    with atheris.instrument_imports(include=["csq_assets"]):
        kinds: Any = importlib.import_module("csq_assets_tests.fuzz.kinds")
        worker: Any = importlib.import_module("csq_assets_tests.fuzz.worker")
    how = kinds.kind_of(kind)
    limit_memory(worker.MEMORY_BYTES)

    def judge(body: bytes) -> None:
        how.judge(body, compares=True)

    def mutate(body: bytes, most_bytes: int, seed: int) -> bytes:
        """By turns atheris's own mutation, and an input as `make fuzz` draws it."""
        chance = Random(seed)  # noqa: S311
        drawn = how.make(chance) if chance.random() < _DRAWN else atheris.Mutate(body, most_bytes)
        return drawn[:most_bytes]

    limits = (f"-runs={runs}", f"-max_len={_MOST_BYTES}", f"-timeout={worker.MOST_SECONDS}")
    atheris.Setup([sys.argv[0], *limits], judge, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
