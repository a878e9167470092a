"""The library that counts and hits durable operations: built from shim.c by the C compiler at hand."""

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_SOURCE = Path(__file__).with_name("shim.c")
COMPILERS = ("cc", "gcc", "clang")


class NoCompilerError(Exception):
    """The library cannot be built here; the message says what is missing."""


def build_shim(folder: Path) -> Path:
    """The library in `folder`, whose path the dynamic linker can read, built if it is not there.

    Raises NoCompilerError.
    """
    if set(str(folder)) & set(" :"):
        raise ValueError(f"the dynamic linker divides {str(folder)!r} at blanks and colons")
    library = folder / f"shim-{hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]}.so"
    if not library.exists():
        compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
        if compiler is None:
            raise NoCompilerError(
                f"no C compiler ({', '.join(COMPILERS)}) is installed, and kills at durable "
                "operations need one: install gcc, on Debian `apt-get install gcc libc6-dev`"
            )
        folder.mkdir(parents=True, exist_ok=True)
        beside = library.with_suffix(".new")
        built = subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-o", beside, _SOURCE, "-ldl"],
            capture_output=True,
            text=True,
            check=False,
        )
        if built.returncode:
            raise NoCompilerError(f"{compiler} cannot build {_SOURCE.name}:\n{built.stderr}")
        beside.replace(library)
    return library


@dataclass(frozen=True, slots=True)
class Hit:
    """What happens to a process. `at` is the number of the durable operation below `paths`, from 1; 0
    only counts them. Instead of a kill, the disk has no room from there on (`full`), or cannot be
    written. A kill cuts a write in two, but one of the DuckDB file only if it `tears_duckdb`."""

    paths: tuple[Path, ...] = ()
    at: int = 0
    action: Literal["kill", "full", "readonly"] = "kill"
    clock_off_seconds: int = 0
    tears_duckdb: bool = False

    def environment(self, folder: Path) -> Mapping[str, str]:
        """The variables for the shim; `folder` gets the counter and the log."""
        counter, log = folder / "operations.count", folder / "operations.log"
        counter.write_bytes(bytes(8))
        log.unlink(missing_ok=True)
        return {
            "TORTURE_COUNTER": str(counter),
            "TORTURE_LOG": str(log),
            "TORTURE_PATHS": ":".join(map(str, self.paths)),
            "TORTURE_AT": str(self.at),
            "TORTURE_ACTION": self.action,
            "TORTURE_TEARS": str(int(self.tears_duckdb)),
            "TORTURE_CLOCK": str(self.clock_off_seconds),
        }


def operations(folder: Path) -> list[str]:
    """What was done, in order, as `name path`."""
    log = folder / "operations.log"
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return [line.partition(" ")[2] for line in lines]
