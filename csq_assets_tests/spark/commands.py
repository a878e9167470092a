"""`csq` as a process of its own, and what descends from a process."""

import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from csq_assets_tests.platform import SCRIPTS


def csq(home: Path, environment: Mapping[str, str], *words: str) -> None:
    """Execute `csq` in its home, however long its jobs take; it has to end well."""
    done = subprocess.run(
        [SCRIPTS / "csq", *words],
        cwd=home,
        env={**os.environ, **environment, "DAGSTER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def descendants(pid: int, word: str) -> list[int]:
    """The processes that descend from this one, and have the word in their command."""
    found: list[int] = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ends meanwhile
            if word in process.cmdline():
                found.append(process.pid)
    return found
