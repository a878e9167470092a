"""A process that reads inputs within limits, and the one that watches it.

The worker writes a line for each input: a mark once it has made it, then what came of it. If it ends
early, stands still, or prints, the input after the last line is at fault; a new worker goes on behind
it.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import psutil

from csq_assets_tests.fuzz.kinds import kind_of
from csq_assets_tests.memory_limit import limit_memory

MEMORY_BYTES = 2 * 1024**3  # more than the process has when it has imported everything
MOST_SECONDS = 10
_POLL_SECONDS = 0.2
_MAKING_SECONDS = 120  # of the process to start, or of an input to be made
_SHOWN = 300
_READY, _MADE = "ready\n", "."  # the first line, and the mark


@dataclass(slots=True)
class Found:
    """What came of the inputs of a kind; `faults` say which input of which seed does what."""

    counts: Counter[str] = field(default_factory=Counter[str])
    faults: list[str] = field(default_factory=list[str])


BOMBS = "bombs"  # instead of a seed


def input_of(kind: str, seed: str, number: int) -> bytes:
    """The input, the same each time: what a fault names can be had again."""
    if seed == BOMBS:
        return list(kind_of(kind).bombs.values())[number]()
    return kind_of(kind).make(Random(f"{kind} {seed} {number}"))  # noqa: S311 - no secret


def explode(kind: str) -> Found:
    """Read the bombs of a kind, each in a process of its own."""
    return fuzz(kind, BOMBS, len(kind_of(kind).bombs), at_once=1)


def fuzz(kind: str, seed: str, inputs: int, at_once: int = 5_000) -> Found:
    """Read so many inputs in workers, which take so many at once."""
    found, first = Found(), 0
    with TemporaryDirectory() as folder:
        while first < inputs:
            numbers = range(first, min(first + at_once, inputs))
            lines, ended = _watched(kind, seed, numbers, Path(folder))
            for number, line in enumerate(lines, start=first):
                if line.startswith("fault"):
                    found.faults.append(f"{kind}, seed {seed}, input {number}: {line}")
                found.counts[line.partition(" ")[0]] += 1
            first += len(lines)
            if ended:
                found.faults.append(f"{kind}, seed {seed}, input {first}: {ended}")
                found.counts["fault"] += 1
                first += len(lines) < len(numbers)
    return found


def _watched(kind: str, seed: str, numbers: range, folder: Path) -> tuple[list[str], str]:
    """What a worker wrote; and why it did not write more, or empty."""
    said, printed = folder / "lines", folder / "printed"
    said.write_bytes(b"")
    arguments = [kind, seed, str(numbers.start), str(numbers.stop), str(said)]
    with printed.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", __name__, *arguments], stdout=output, stderr=output
        )
        hung = _wait(worker, said)
    lines = [line.removeprefix(_MADE) for line in said.read_text().split("\n")[1:-1]]
    output = printed.read_text("utf-8", "replace").strip()[-_SHOWN:]
    if hung:
        return lines, f"no answer within {MOST_SECONDS} seconds"
    if worker.returncode or output:
        return lines, f"the process ended with {worker.returncode} and printed {output!r}"
    return lines, ""


def _wait(worker: "subprocess.Popen[bytes]", said: Path) -> bool:
    """Wait for its end; or kill it, and return True, where an input takes too long. What counts is the
    time in which it works, or waits for anything but a core: other processes may have those.
    """
    process, seen = psutil.Process(worker.pid), b""
    now, cpu_seconds, spent_seconds = time.monotonic(), 0.0, 0.0
    while worker.poll() is None:
        time.sleep(_POLL_SECONDS)
        clock_before, cpu_before = now, cpu_seconds
        now, cpu_seconds = time.monotonic(), sum(process.cpu_times()[:2])
        waits = process.status() == psutil.STATUS_SLEEPING
        spent_seconds += now - clock_before if waits else cpu_seconds - cpu_before
        if (found := said.read_bytes()) != seen:
            seen, spent_seconds = found, 0.0
        judges = seen.endswith(_MADE.encode())
        if spent_seconds > (MOST_SECONDS if judges else _MAKING_SECONDS):
            worker.kill()
            worker.wait()
            return True
    return False


def _judged(kind: str, seed: str, body: bytes) -> str:
    try:
        return kind_of(kind).judge(body, compares=seed != BOMBS)
    except BaseException as error:  # noqa: BLE001 - a panic is none, nor is an exit
        return f"fault {type(error).__name__}: {error!s:.{_SHOWN}}"


def main(kind: str, seed: str, numbers: range, said: Path) -> None:
    limit_memory(MEMORY_BYTES)
    with said.open("ab", buffering=0) as file:
        file.write(_READY.encode())
        for number in numbers:
            body = input_of(kind, seed, number)
            file.write(_MADE.encode())
            file.write(_judged(kind, seed, body).encode("unicode_escape") + b"\n")


if __name__ == "__main__":
    os.environ.setdefault("POLARS_MAX_THREADS", "2")
    kind, seed, start, stop, said = sys.argv[1:]
    main(kind, seed, range(int(start), int(stop)), Path(said))
