"""Contestants that decode one table of a dump, each into Parquet of its own."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.contents import parquet_contents, require_same, write_made_rows
from benchmarks.generate import deliver
from benchmarks.measure import Contestant, Measured, Spread, alternate
from benchmarks.peers.environments import LeftOutError, interpreter_for

REPOSITORY = Path(__file__).parent.parent
DUMP_ID = 1
OURS = "csq_assets"


@dataclass(frozen=True, slots=True)
class Decoded:
    """One table of one dump, delivered to be decoded. Everything lies in `folder`."""

    folder: Path
    table: str
    rows: int
    files: int

    @classmethod
    def deliver(cls, folder: Path, table: str, rows: int, files: int) -> "Decoded":
        deliver(folder / "export", DUMP_ID, {table: rows}, files={table: files})
        return cls(folder, table, rows, files)

    @property
    def avro(self) -> Path:
        """The folder of its files."""
        return self.folder / "export" / f"sync_{DUMP_ID}" / self.table

    def made(self) -> Path:
        """Its rows as Parquet, written when it is first asked for."""
        made = self.folder / "made"
        return made if made.is_dir() else write_made_rows(made, self.table, self.rows, seed=DUMP_ID)


@dataclass(frozen=True, slots=True)
class Reader:
    """A contestant, and where its rows are afterwards: those of the first `files` files."""

    contestant: Contestant
    out: Path
    files: int


def ours(
    dump: Decoded, name: str = OURS, *, cores: int | None = None, module: str = "ours"
) -> Reader:
    """csq_assets, into a lake of its own."""
    lake = dump.folder / f"lake-{module}-{cores}"
    command = (
        *(sys.executable, "-m", f"benchmarks.contestants.{module}"),
        *(dump.folder / "export", lake, str(DUMP_ID), dump.table),
    )
    out = lake / "raw" / dump.table / f"dump_id={DUMP_ID}" / "data.parquet"
    return Reader(_contestant(name, command, cores), out, dump.files)


def limit(dump: Decoded, name: str, *, cores: int) -> Reader:
    """What nobody can avoid."""
    out = dump.folder / f"limit-{cores}.parquet"
    command = (sys.executable, "-m", "benchmarks.contestants.limit", dump.avro, out, dump.made())
    return Reader(_contestant(name, command, cores), out, dump.files)


def peer(dump: Decoded, name: str, module: str, *, cores: int, files: int, install: bool) -> Reader:
    """A script of `benchmarks.peers` on the first `files` files. Raises LeftOutError."""
    environment = _ENVIRONMENTS[module]
    python = interpreter_for(environment, install=install)
    out = dump.folder / f"{module}-{cores}.parquet"
    command = (python, "-m", f"benchmarks.peers.{module}", dump.avro, out, str(files))
    return Reader(_contestant(name, command, cores), out, files)


def available(
    *readers: Callable[[], Reader],
) -> tuple[list[Reader], tuple[str, ...]]:
    """Those that can be had here, and who was left out, with the reason."""
    found: list[Reader] = []
    left_out: list[str] = []
    for reader in readers:
        try:
            found.append(reader())
        except LeftOutError as error:
            left_out.append(str(error))
    return found, tuple(left_out)


def compete(dump: Decoded, readers: list[Reader], *, rounds: int) -> dict[str, Measured]:
    """All of them in turn; seconds of who did fewer files are scaled to all the rows.

    Raises FailedError where one of them did not write the rows that were delivered.
    """
    measured = alternate([reader.contestant for reader in readers], rounds=rounds)
    for reader in readers:
        rows = dump.rows * reader.files // dump.files
        found = {reader.contestant.name: parquet_contents(reader.out, dump.table)}
        require_same(parquet_contents(dump.made(), dump.table, rows=rows), found)
    return {
        reader.contestant.name: _scaled(measured[reader.contestant.name], dump.rows)
        for reader in readers
    }


# The environment that each script of `benchmarks.peers` runs in.
_ENVIRONMENTS = {
    "fastavro_dictionaries": "fastavro",
    "polars_read_avro": "polars",
    "polars_avro_scan": "polars-avro",
}


def _contestant(name: str, command: tuple[str | Path, ...], cores: int | None) -> Contestant:
    return Contestant(name, command, environment={"PYTHONPATH": str(REPOSITORY)}, cores=cores)


def _scaled(measured: Measured, rows: int) -> Measured:
    if measured.rows == rows or not measured.rows:
        return measured
    times = rows / measured.rows
    return replace(
        measured, wall=_times(measured.wall, times), cpu=_times(measured.cpu, times), rows=rows
    )


def _times(spread: Spread, times: float) -> Spread:
    return Spread(spread.median * times, spread.low * times, spread.high * times)
