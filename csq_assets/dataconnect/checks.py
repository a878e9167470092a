"""Every check: what it judges, its severity and its wording. Facts in, findings out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from csq_assets.dataconnect.drift import ColumnDrift

OVERDUE_AFTER = timedelta(hours=1)


class Severity(StrEnum):
    """As Dagster has it."""

    WARN = "WARN"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `severity` says how bad it is where it did not pass."""

    check: str
    passed: bool
    severity: Severity
    description: str


Subject: TypeAlias = Literal["sync_reports", "manifests", "raw"]


@dataclass(frozen=True, slots=True)
class Check:
    """A check as the UI lists it; `evaluate` takes the facts of its subject."""

    name: str
    on: Subject
    description: str
    evaluate: Callable[..., Finding]


REGISTRY: dict[str, Check] = {}


def check(on: Subject) -> Callable[[Callable[..., Finding]], Callable[..., Finding]]:
    """Enter the function as a check on `on`: its name is the check's, its docstring what it says."""

    def enter(evaluate: Callable[..., Finding]) -> Callable[..., Finding]:
        name = evaluate.__name__
        REGISTRY[name] = Check(name, on, (evaluate.__doc__ or "").strip(), evaluate)
        return evaluate

    return enter


def checks_on(subject: Subject) -> tuple[Check, ...]:
    return tuple(entry for entry in REGISTRY.values() if entry.on == subject)


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """The newest report, by name, and whether anything was delivered after its next sync was due."""

    name: str
    status: str | None
    error: str | None
    next_sync_at: datetime | None
    came_since: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class RawFacts:
    """What the checks of one partition judge. `previous_dump_id` is None for a table's first dump."""

    dump_id: int
    previous_dump_id: int | None
    drift: "ColumnDrift"
    lacking: tuple[str, ...]  # columns of the manifest that a file lacks
    extra: tuple[str, ...]  # columns of a file that the manifest does not name
    nulls: Mapping[str, int]  # by key column, those with any
    rows: int


@check(on="sync_reports")
def sync_succeeded(facts: ReportFacts) -> Finding:
    """The newest sync report says `succeeded`."""
    if facts.status == "succeeded":
        return _passed("sync_succeeded", Severity.ERROR, f"{facts.name} says succeeded")
    because = f": {facts.error}" if facts.error else ""
    status = f'"{facts.status}"' if facts.status else "no status"
    return _failed("sync_succeeded", Severity.ERROR, f"{facts.name} says {status}{because}")


@check(on="sync_reports")
def sync_on_time(facts: ReportFacts) -> Finding:
    """The next sync came within an hour of the time that the newest report announced."""
    due = facts.next_sync_at
    if due is None:
        return _passed("sync_on_time", Severity.WARN, f"{facts.name} announces no next sync")
    when = f"{due:%Y-%m-%d %H:%M} UTC"
    if facts.now <= due + OVERDUE_AFTER or facts.came_since:
        return _passed("sync_on_time", Severity.WARN, f"the next sync is announced for {when}")
    return _failed(
        "sync_on_time", Severity.WARN, f"a sync was announced for {when}, and nothing came"
    )


@check(on="manifests")
def manifest_readable(problems: Iterable[str]) -> Finding:
    """Every manifest in the export is valid."""
    said = tuple(problems)
    if said:
        return _failed("manifest_readable", Severity.ERROR, "; ".join(said))
    return _passed("manifest_readable", Severity.ERROR, "all manifests are valid")


@check(on="raw")
def column_drift(facts: RawFacts) -> Finding:
    """The columns are those of the numerically previous dump: additions warn, the rest is an error."""
    if facts.previous_dump_id is None:
        return _passed(
            "column_drift", Severity.WARN, f"dump {facts.dump_id} is the first of this table"
        )
    if not facts.drift:
        return _passed(
            "column_drift", Severity.WARN, f"same columns as dump {facts.previous_dump_id}"
        )
    severity = Severity.WARN if facts.drift.only_adds else Severity.ERROR
    return _failed("column_drift", severity, f"dump {facts.dump_id} {facts.drift.in_words()}")


@check(on="raw")
def columns_match_manifest(facts: RawFacts) -> Finding:
    """The files have the columns that their manifest names, no others."""
    said = [
        f"{verb} {listed(columns)}"
        for verb, columns in (("lack", facts.lacking), ("add", facts.extra))
        if columns
    ]
    if said:
        return _failed(
            "columns_match_manifest",
            Severity.WARN,
            f"files of dump {facts.dump_id} {' and '.join(said)}",
        )
    return _passed("columns_match_manifest", Severity.WARN, "files and manifest agree")


@check(on="raw")
def keys_not_null(facts: RawFacts) -> Finding:
    """No column of the key holds a null."""
    if facts.nulls:
        said = ", ".join(f"{column} is null in {count:,}" for column, count in facts.nulls.items())
        return _failed("keys_not_null", Severity.WARN, f"{said} of {facts.rows:,} rows")
    return _passed("keys_not_null", Severity.WARN, f"no null in the key of {facts.rows:,} rows")


def listed(names: Iterable[str]) -> str:
    """Names for a sentence, quoted."""
    return ", ".join(f'"{name}"' for name in names)


def _passed(name: str, severity: Severity, description: str) -> Finding:
    return Finding(name, True, severity, description)


def _failed(name: str, severity: Severity, description: str) -> Finding:
    return Finding(name, False, severity, description)
