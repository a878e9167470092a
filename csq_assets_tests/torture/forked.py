"""`csq` in a fork of this process, which has imported what csq imports: importing takes longer than
a day of small tables."""

import importlib
import os
import sys
from collections.abc import Mapping
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
)


@dataclass(frozen=True, slots=True)
class Used:
    """The exit code of a command, its CPU time, and the most memory that it had."""

    code: int
    cpu_seconds: float
    memory_mb: float


def import_csq() -> None:
    """Import now what each fork would import."""
    for name in _IMPORTED:
        importlib.import_module(name)


def csq_forked(*arguments: str, folder: Path, environment: Mapping[str, str], said: Path) -> Used:
    """Run the command in a folder; `said` gets what it prints on stderr."""
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
    sys.argv = ["csq", *arguments]
    code: object = 0
    try:
        importlib.import_module("csq_assets.__main__").main()
    except SystemExit as end:
        code = end.code
    except BaseException as error:  # noqa: BLE001  # as the interpreter does
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)
