"""Runs contestants in turn, and tells what each of them took."""

import json
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Contestant:
    """A command that does the work in a process of its own.

    What it prints last may be a JSON object, as `timed.report` prints it: then only what that says
    counts, without imports. `prepare` runs before each time, unmeasured.
    """

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None  # where it runs
    cores: int | None = None  # as many as it may use; all of them where None
    prepare: Callable[[], None] | None = None
    exit_codes: frozenset[int] = frozenset({0})


@dataclass(frozen=True, slots=True)
class Run:
    """Once through. Seconds; `peak_mb` is that of all its processes together, imports included."""

    wall: float
    cpu: float
    peak_mb: float
    over_imports_mb: float | None
    rows: int | None


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of several runs, and how far they lie apart."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Measured:
    """What a contestant took, over all its runs: of memory the most."""

    name: str
    wall: Spread
    cpu: Spread
    peak_mb: float
    over_imports_mb: float | None
    rows: int | None
    rounds: int


class FailedError(Exception):
    """A contestant did not do the work."""


def alternate(contestants: Sequence[Contestant], *, rounds: int) -> dict[str, Measured]:
    """Each runs once in each round, so that what disturbs the machine disturbs all of them.

    Raises FailedError with what a contestant printed.
    """
    runs: dict[str, list[Run]] = {contestant.name: [] for contestant in contestants}
    for _ in range(rounds):
        for contestant in contestants:
            runs[contestant.name].append(run_once(contestant))
    return {name: summed_up(name, of_one) for name, of_one in runs.items()}


def run_once(contestant: Contestant) -> Run:
    """Raises FailedError with what the contestant printed."""
    if contestant.prepare:
        contestant.prepare()
    before, started = os.times(), time.perf_counter()
    with subprocess.Popen(
        _on_cores(contestant),
        env={**_clean_environment(), **contestant.environment},
        cwd=contestant.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        with _PeakOfTree(process.pid) as peak:
            out, err = process.communicate()
        wall, after = time.perf_counter() - started, os.times()
    if process.returncode not in contestant.exit_codes:
        raise FailedError(f"{contestant.name} ended with {process.returncode}:\n{err[-4_000:]}")
    told = _told(out)
    cpu = after.children_user + after.children_system - before.children_user
    return Run(
        wall=told.get("wall", wall),
        cpu=told.get("cpu", cpu - before.children_system),
        peak_mb=peak.mb,
        over_imports_mb=told.get("over_imports_mb"),
        rows=told.get("rows"),
    )


def ratio(one: Spread, other: Spread) -> float:
    return one.median / other.median


def _on_cores(contestant: Contestant) -> list[str]:
    command = [str(part) for part in contestant.command]
    if contestant.cores is None or not hasattr(os, "sched_getaffinity"):
        return command  # macOS gives it every core
    cores = sorted(os.sched_getaffinity(0))[: contestant.cores]
    return ["taskset", "--cpu-list", ",".join(map(str, cores)), *command]


def _clean_environment() -> dict[str, str]:
    """Without what the caller's shell has set for csq_assets, and with bytecode, as users have it."""
    foreign = ("CSQ_", "DAGSTER_", "AWS_", "PYTHONDONTWRITEBYTECODE")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def _told(out: str) -> dict[str, Any]:
    lines = out.strip().splitlines()
    try:
        told = json.loads(lines[-1]) if lines else {}
    except json.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def summed_up(name: str, runs: list[Run]) -> Measured:
    """Raises FailedError where the runs gave unlike numbers of rows."""
    over = [run.over_imports_mb for run in runs if run.over_imports_mb is not None]
    rows = {run.rows for run in runs}
    if len(rows) != 1:
        raise FailedError(f"{name} gave other rows each time: {rows}")
    return Measured(
        name=name,
        wall=_spread([run.wall for run in runs]),
        cpu=_spread([run.cpu for run in runs]),
        peak_mb=max(run.peak_mb for run in runs),
        over_imports_mb=max(over, default=None),
        rows=rows.pop(),
        rounds=len(runs),
    )


def _spread(values: list[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values))


class _PeakOfTree:
    """The most memory that a process and its descendants had together, looked at now and then."""

    def __init__(self, pid: int) -> None:
        self.mb = 0.0
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_POLL_SECONDS):
            self.mb = max(self.mb, _memory_mb(self._pid))


def _memory_mb(pid: int) -> float:
    total = 0
    try:
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:  # it ended while it was looked at
        return 0.0
    return total / 1024**2
