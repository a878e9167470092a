"""Every check: what it judges, its severity and its wording. Facts in, findings out."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.drift import ColumnDrift
from csq_assets.dataconnect.sync_report import SyncReport

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
Verdict: TypeAlias = tuple[bool, Severity, str]  # passed, severity, description


@dataclass(frozen=True, slots=True)
class Check:
    """A check as the UI lists it; `evaluate` takes the facts of its subject."""

    name: str
    on: Subject
    description: str
    evaluate: Callable[[Any], Verdict]

    def judge(self, facts: Any) -> Finding:
        return Finding(self.name, *self.evaluate(facts))


REGISTRY: dict[str, Check] = {}


def check(on: Subject) -> Callable[[Callable[[Any], Verdict]], Callable[[Any], Verdict]]:
    """Enter the function as a check on `on`: its name is the check's, its docstring what it says."""

    def enter(evaluate: Callable[[Any], Verdict]) -> Callable[[Any], Verdict]:
        name = evaluate.__name__
        REGISTRY[name] = Check(name, on, (evaluate.__doc__ or "").strip(), evaluate)
        return evaluate

    return enter


def export_asset(subject: Subject) -> str:
    """The asset that Contentsquare keeps, as a person writes its key."""
    return f"csq/{subject}"


def checks_on(subject: Subject) -> tuple[Check, ...]:
    return tuple(entry for entry in REGISTRY.values() if entry.on == subject)


def judge(subject: Subject, facts: Any) -> tuple[Finding, ...]:
    """What every check on the subject finds."""
    return tuple(entry.judge(facts) for entry in checks_on(subject))


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """The newest report, by name, and whether anything was delivered after its next sync was due."""

    name: str
    report: SyncReport
    came_since: bool
    now: datetime


def judge_export(catalog: Catalog, now: datetime) -> Iterator[tuple[Subject, Finding]]:
    """What the checks find on an export as it is; on reports nothing, where there are none."""
    facts = _report_facts(catalog, now)
    if facts is not None:
        for finding in judge("sync_reports", facts):
            yield "sync_reports", finding
    for finding in judge("manifests", catalog.unreadable):
        yield "manifests", finding


def _report_facts(catalog: Catalog, now: datetime) -> ReportFacts | None:
    newest = catalog.newest_report()
    if newest is None:
        return None
    due = newest.report.next_sync_at
    return ReportFacts(
        name=newest.object.key.rpartition("/")[2],
        report=newest.report,
        came_since=due is not None
        and any(seen.object.modified >= due for seen in catalog.manifests),
        now=now,
    )


@dataclass(frozen=True, slots=True)
class RawFacts:
    """What the checks of one partition judge. `previous_dump_id` is None for a table's first dump."""

    dump_id: int
    previous_dump_id: int | None
    drift: ColumnDrift
    lacking: tuple[str, ...]  # columns of the manifest that a file lacks
    extra: tuple[str, ...]  # columns of a file that the manifest does not name
    nulls: Mapping[str, int]  # by key column, those with any
    rows: int


@check(on="sync_reports")
def sync_succeeded(facts: ReportFacts) -> Verdict:
    """The newest sync report says `succeeded`."""
    if facts.report.succeeded:
        return True, Severity.ERROR, f"{facts.name} says succeeded"
    because = f": {facts.report.error}" if facts.report.error else ""
    return False, Severity.ERROR, f"{facts.name} says {facts.report.status_in_words}{because}"


@check(on="sync_reports")
def sync_on_time(facts: ReportFacts) -> Verdict:
    """The next sync came within an hour of the time that the newest report announced."""
    due = facts.report.next_sync_at
    if due is None:
        return True, Severity.WARN, f"{facts.name} announces no next sync"
    when = f"{due:%Y-%m-%d %H:%M} UTC"
    if facts.now - due <= OVERDUE_AFTER or facts.came_since:
        return True, Severity.WARN, f"the next sync is announced for {when}"
    return False, Severity.WARN, f"a sync was announced for {when}, and nothing came"


@check(on="manifests")
def manifest_readable(problems: Collection[str]) -> Verdict:
    """Every manifest in the export is valid."""
    if problems:
        return False, Severity.ERROR, "; ".join(problems)
    return True, Severity.ERROR, "all manifests are valid"


@check(on="raw")
def column_drift(facts: RawFacts) -> Verdict:
    """The columns are those of the numerically previous dump: additions warn, else it is an error."""
    if facts.previous_dump_id is None:
        return True, Severity.WARN, f"dump {facts.dump_id} is the first of this table"
    if not facts.drift:
        return True, Severity.WARN, f"same columns as dump {facts.previous_dump_id}"
    severity = Severity.WARN if facts.drift.only_adds else Severity.ERROR
    return False, severity, f"dump {facts.dump_id} {facts.drift.in_words()}"


@check(on="raw")
def columns_match_manifest(facts: RawFacts) -> Verdict:
    """The files have the columns that their manifest names, no others."""
    said = [
        f"{verb} {listed(columns)}"
        for verb, columns in (("lack", facts.lacking), ("add", facts.extra))
        if columns
    ]
    if said:
        return False, Severity.WARN, f"files of dump {facts.dump_id} {' and '.join(said)}"
    return True, Severity.WARN, "files and manifest agree"


@check(on="raw")
def keys_not_null(facts: RawFacts) -> Verdict:
    """No column of the key holds a null."""
    if facts.nulls:
        said = ", ".join(f"{column} is null in {count:,}" for column, count in facts.nulls.items())
        return False, Severity.WARN, f"{said} of {facts.rows:,} rows"
    return True, Severity.WARN, f"no null in the key of {facts.rows:,} rows"


def listed(names: Iterable[str]) -> str:
    """Names for a sentence, quoted."""
    return ", ".join(f'"{name}"' for name in names)
