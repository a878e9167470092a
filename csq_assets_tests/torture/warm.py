"""A process that has imported everything, and forks for each command: importing takes longer than work.

`python -m csq_assets_tests.torture.warm` reads a job from each line of its input, and answers with a
line: the exit code, negative for a signal, or -1000 where the command did not end in time.
"""

import ctypes
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from csq_assets_tests.memory_limit import limit_memory
from csq_assets_tests.torture.forked import run_command
from csq_assets_tests.torture.shim import Hit, build_shim

HUNG = -1000
_PATIENCE_SECONDS = 240
_TRACE = re.compile(r'panicked at|Traceback \(most recent|Stack Trace:|File ".*?", line \d')
_IMPORTED = (
    "boto3",
    "dagster",
    "duckdb",
    "polars",
    "csq_assets.cli.forgetting",
    "csq_assets.cli.passes",
    "csq_assets.forgetting",
    "csq_assets.sync",
    "csq_assets.storage",
    "csq_assets_tests.torture.daemon",
    "csq_assets_tests.torture.planted",
)


@dataclass(frozen=True, slots=True)
class Job:
    """A command of csq, or a program of `daemon.py`. `planted` names what of `planted.py` the process
    is to have, and `memory_bytes` is what it may take, if not all there is."""

    arguments: tuple[str, ...]
    folder: str
    environment: Mapping[str, str]
    output: str
    planted: str = ""
    memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def has_traceback(self) -> bool:
        """One of Python's, or what Dagster makes of one."""
        return bool(_TRACE.search(self.stdout) or _TRACE.search(self.stderr))


class Warm:
    """The process, and a folder for what its commands say."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self._process = process
        self._folder = folder

    def kill(self) -> None:
        """End the command that runs, and what it has started."""
        os.killpg(int((self._folder / "said.pid").read_text()), signal.SIGKILL)

    def csq(
        self,
        *arguments: str,
        folder: Path,
        environment: Mapping[str, str],
        hit: Hit | None = None,
        planted: str = "",
        memory_bytes: int = 0,
    ) -> Ended:
        """Run the command with the shim set as `hit` says."""
        shim = (hit or Hit()).environment(self._folder)
        output = self._folder / "said"
        everything = {**environment, **shim}
        job = Job(arguments, str(folder), everything, str(output), planted, memory_bytes)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(job)) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        said = (output.with_suffix(suffix) for suffix in (".out", ".err"))
        return Ended(code, *(path.read_text(errors="replace") for path in said))


@contextmanager
def start_warm(folder: Path) -> Iterator[Warm]:
    """A warm process with the shim. Raises NoCompilerError."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "LD_PRELOAD": str(build_shim(folder))}
    command = [sys.executable, "-m", __name__]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Warm(process, folder)
        finally:
            if process.stdin:
                process.stdin.close()
            process.wait()


def _serve() -> None:
    for name in _IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        job = Job(**json.loads(line))
        pid = os.fork()
        if not pid:
            _become(job)
        print(_wait(pid), flush=True)  # noqa: T201  # the protocol


def _wait(pid: int) -> int:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return HUNG


def _become(job: Job) -> NoReturn:
    """The command, in a process group of its own, from which it does not return."""
    os.setsid()
    Path(job.output).with_suffix(".pid").write_text(str(os.getpid()))
    os.chdir(job.folder)
    for_its_processes = {"LD_PRELOAD": os.environ["LD_PRELOAD"]}
    os.environ.clear()
    os.environ.update({**for_its_processes, **job.environment})
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, suffix in ((1, ".out"), (2, ".err")):
        path = Path(job.output).with_suffix(suffix)
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    if job.memory_bytes:
        limit_memory(job.memory_bytes)
    if job.planted:
        importlib.import_module("csq_assets_tests.torture.planted").plant(job.planted)
    ctypes.CDLL(None).torture_arm()
    code: object = 0
    try:
        run_command(job.arguments)
    except SystemExit as end:
        code = end.code
    except BaseException as error:  # noqa: BLE001  # as the interpreter does
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)


if __name__ == "__main__":
    _serve()
