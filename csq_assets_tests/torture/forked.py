"""A command in a fork of this process, which has imported what csq imports: importing takes longer than
a day of small tables."""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

_IMPORTED = (
    "boto3",
    "dagster",
    "duckdb",
    "polars",
    "csq_assets.cli.passes",
    "csq_assets.sync",
    "csq_assets.storage",
    "csq_assets_tests.torture.daemon",
)


@dataclass(frozen=True, slots=True)
class Used:
    """The exit code of a command; the CPU time of its processes, and the most memory that one had."""

    code: int
    cpu_seconds: float
    memory_mb: float


def import_csq() -> None:
    """Import now what each fork would import."""
    for name in _IMPORTED:
        importlib.import_module(name)


def run_command(arguments: Sequence[str]) -> None:
    """Run a command of csq, or a program of `daemon.py`, in this process."""
    daemon = importlib.import_module("csq_assets_tests.torture.daemon")
    if arguments[0] in daemon.PROGRAMS:
        daemon.main(arguments)
    else:
        sys.argv = ["csq", *arguments]
        importlib.import_module("csq_assets.__main__").main()


def csq_forked(*arguments: str, folder: Path, environment: Mapping[str, str], said: Path) -> Used:
    """Run a command of csq, or a program of `daemon.py`, in a folder; `said` gets its stderr."""
    pid = os.fork()
    if not pid:
        _become(arguments, folder, environment, said)
    _, status, used = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return Used(code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _become(
    arguments: tuple[str, ...], folder: Path, environment: Mapping[str, str], said: Path
) -> NoReturn:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in ((0, os.devnull), (1, os.devnull), (2, said)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), number)
    code: object = 0
    try:
        run_command(arguments)
    except SystemExit as end:
        code = end.code
    except BaseException as error:  # noqa: BLE001  # as the interpreter does
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)
