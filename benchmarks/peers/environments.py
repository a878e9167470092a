"""A virtual environment for each peer, since one cannot hold them all."""

import shutil
import subprocess
import sys
from pathlib import Path

_REQUIREMENTS = Path(__file__).parent
_ENVIRONMENTS = _REQUIREMENTS.parent.parent / "data" / "bench" / "environments"
# What csq_assets itself is made of, so that its own environment will do.
_OUR_OWN = ("fastavro", "polars")


class LeftOutError(Exception):
    """A peer that cannot be had here; says why."""


def interpreter_for(peer: str, *, install: bool) -> Path:
    """The Python of an environment that has the packages of `<peer>.txt`.

    It is made at the first call, and kept until that file changes. Without `install` there are only
    peers that csq_assets is made of.

    Raises LeftOutError.
    """
    if not install:
        if peer in _OUR_OWN:
            return Path(sys.executable)
        raise LeftOutError(f"{peer}, as peers are not to be installed")
    requirements = _REQUIREMENTS / f"{peer}.txt"
    folder = _ENVIRONMENTS / peer
    python, installed = folder / "bin" / "python", folder / "installed.txt"
    if installed.is_file() and installed.read_bytes() == requirements.read_bytes():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    try:
        for command in (
            (sys.executable, "-m", "venv", folder),
            (*pip, "--no-deps", "--requirement", requirements),
        ):
            subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines()
        raise LeftOutError(
            f"{peer}, as its packages could not be installed: {said[-1] if said else error}"
        ) from error
    shutil.copy(requirements, installed)
    return python
