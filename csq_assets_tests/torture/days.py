"""A dump a day on one platform, taken by `csq sync`, by the daemon, or by what that does without its
waits: what each day takes."""

import os
import subprocess
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.platform import KEYS, SCRIPTS, copy_dagster_yaml, open_instance
from csq_assets_tests.targets import DirectoryTarget
from csq_assets_tests.torture.forked import csq_forked, import_csq

TABLES = 12
DELIVERED = "export"
PLACES = {
    "Dagster": "data/dagster",
    "lake": "data/lake",
    "what the lake stages": "data/lake/.staging",
    "DuckDB": "data/warehouse.duckdb",
}
_ROWS = 50
_FIRST_DUMP = 1_000
_START = datetime(2026, 1, 1, 5, tzinfo=UTC)
_MEBIBYTE = 1024 * 1024
_POLL_SECONDS, _PATIENCE_SECONDS, _END_SECONDS = 3, 900, 60


@dataclass(frozen=True, slots=True)
class Day:
    """What a day took, and what is on the disk after it: files and bytes by place, DELIVERED among
    them. `fault` says in words what went wrong, if anything."""

    fault: str
    cpu_seconds: float
    memory_mb: float
    disk: dict[str, tuple[int, int]]


def by_syncs(folder: Path, days: int) -> Generator[Day]:
    """A dump, then `csq sync`, day after day."""
    return _by_command("sync", folder, days)


def by_ticks(folder: Path, days: int) -> Generator[Day]:
    """A dump, then ticks of the sensor and the runs that they request, day after day. The memory is
    that of the process that had most."""
    return _by_command("daemon", folder, days)


def _by_command(command: str, folder: Path, days: int) -> Generator[Day]:
    first = days_of(folder)
    export, environment = _begin(folder)
    said = folder / "said"
    for day in range(first, days):
        deliver(export, day)
        used = csq_forked(command, folder=folder, environment=environment, said=said)
        fault = f"{command} ended with {used.code}: {said.read_text()}" if used.code else ""
        yield Day(fault, used.cpu_seconds, used.memory_mb, _sizes(folder))


def by_daemon(folder: Path, days: int) -> Generator[Day]:
    """A dump, which the daemon takes, day after day; its memory is that between runs."""
    first = days_of(folder)
    export, environment = _begin(folder)
    deliver(export, first)  # by a sync: a code location has the tables that the lake knows
    csq_forked("sync", folder=folder, environment=environment, said=folder / "said")
    with _daemon(folder, environment) as daemon:
        for day in range(first + 1, days + 1):
            before = _cpu_seconds(daemon)
            deliver(export, day)
            fault = "" if _is_current(folder, _FIRST_DUMP + day) else "it was not refreshed"
            memory = sum(one.memory_info().rss for one in _processes(daemon)) / _MEBIBYTE
            yield Day(fault, _cpu_seconds(daemon) - before, memory, _sizes(folder))


def deliver(export: ExportBuilder, day: int) -> None:
    """Users, sessions and event tables: half of the users come every day, and one merges."""
    when = _START + timedelta(days=day)
    users = [*range(_ROWS // 2), *range(day * _ROWS, day * _ROWS + _ROWS // 2)]
    moment = when.isoformat()
    events = [
        {"event_id": day * _ROWS + row, "user_id": user, "session_id": row, "time": moment}
        for row, user in enumerate(users)
    ]
    tables = {
        "users": [{"user_id": user, "plan": f"plan {day % 7}"} for user in users],
        "sessions": [{"user_id": user, "session_id": day, "time": moment} for user in users],
        "user_migrations": [
            {"from_user_id": one * _ROWS, "to_user_id": 1} for one in range(1, day + 1)
        ],
        **{f"event_{number}": events for number in range(TABLES - 3)},
    }
    columns = {"user_migrations": ["from_user_id", "to_user_id"]}
    export.report(f"{when.date()}")
    export.deliver(_FIRST_DUMP + day, tables=tables, columns=columns)


def days_of(folder: Path) -> int:
    """The days that were lived there: one that was interrupted is among them."""
    return len(list((folder / "export" / "manifests").glob("*")))


def stray(folder: Path) -> list[str]:
    """What only a killed process would leave."""
    kept = (folder / "data" / "lake" / ".staging").glob("*")
    return sorted(str(path) for path in (*kept, *(folder / "data").glob("*.wal")))


def _begin(folder: Path) -> tuple[ExportBuilder, Mapping[str, str]]:
    import_csq()
    (folder / "export").mkdir(parents=True, exist_ok=True)
    copy_dagster_yaml(folder)
    environment = {name: one for name, one in os.environ.items() if not name.startswith("CSQ_")}
    environment |= {"DAGSTER_HOME": str(folder), "CSQ_EXPORT_URL": str(folder / "export")}
    return ExportBuilder(DirectoryTarget(folder / "export")), environment


def _sizes(folder: Path) -> dict[str, tuple[int, int]]:
    return {at: _size(folder / at) for at in (DELIVERED, *PLACES.values())}


def _size(place: Path) -> tuple[int, int]:
    """The files of a folder, and their bytes."""
    sizes: list[int] = []
    for path in place.rglob("*") if place.is_dir() else [place]:
        with suppress(FileNotFoundError):  # SQLite's, beside a database that is closed
            if path.is_file():
                sizes.append(path.stat().st_size)
    return len(sizes), sum(sizes)


@contextmanager
def _daemon(folder: Path, environment: Mapping[str, str]) -> Iterator[psutil.Process]:
    """The daemon, which with its code server and its runs is gone in the end."""
    command = (SCRIPTS / "dagster-daemon", "run", "--module-name", "csq_assets.definitions")
    with (folder / "said").open("wb") as log:
        daemon = psutil.Popen(
            command, cwd=folder, env=dict(environment), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield daemon
        finally:
            all_of_it = _processes(daemon)
            daemon.terminate()
            for process in psutil.wait_procs(all_of_it, timeout=_END_SECONDS)[1]:
                process.kill()


def _processes(daemon: psutil.Process) -> list[psutil.Process]:
    return [daemon, *daemon.children(recursive=True)]


def _cpu_seconds(daemon: psutil.Process) -> float:
    """Of all its processes, those that have ended included."""
    seconds = 0.0
    for process in _processes(daemon):
        with suppress(psutil.NoSuchProcess):
            seconds += sum(process.cpu_times()[:4])
    return seconds


def _is_current(folder: Path, dump_id: int) -> bool:
    """Wait until the dump is in the current tables, and no run is in progress."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        time.sleep(_POLL_SECONDS)
        with open_instance(folder) as instance:
            event = instance.get_latest_materialization_event(KEYS.all_events)
            newest = instance.get_latest_materialization_event(KEYS.current("users"))
            run = instance.get_run_by_id(newest.run_id) if newest and event else None
            made = newest.asset_materialization if newest else None
            if (
                run is not None
                and run.is_success
                and made is not None
                and made.metadata["newest_dump"].value == dump_id
            ):
                return True
    return False
