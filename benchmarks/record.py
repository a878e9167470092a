"""Keeps what was measured, in benchmarks/results.json: the last time of each case."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

import psutil
from pydantic import TypeAdapter

from benchmarks.results import Result

_PACKAGES = ("polars", "duckdb", "fastavro", "dagster")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it was measured, and with what."""

    cpu: str
    cores: int
    memory_gb: int
    python: str
    packages: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A result, with the day and the machine."""

    day: date
    machine: Machine
    result: Result


_RECORDS = TypeAdapter(dict[str, Recorded])


def this_machine() -> Machine:
    return Machine(
        cpu=_cpu_model(),
        cores=os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 1024**3),
        python=platform.python_version(),
        packages={package: version(package) for package in _PACKAGES},
    )


def read_records(file: Path) -> dict[str, Recorded]:
    """By case; none where there is no such file."""
    return _RECORDS.validate_json(file.read_bytes()) if file.is_file() else {}


def write_record(file: Path, record: Recorded) -> dict[str, Recorded]:
    """Put it into the place of what is there of its case; gives all of them."""
    records = {**read_records(file), record.result.case: record}
    file.write_bytes(_RECORDS.dump_json(records, indent=1) + b"\n")
    return records


def _cpu_model() -> str:
    """As the system names it."""
    names = Path("/proc/cpuinfo")
    lines = names.read_text().splitlines() if names.is_file() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
