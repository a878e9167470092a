"""Every check: what it judges, its severity and its wording. Facts in, findings out."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.drift import ColumnDrift
from csq_assets.dataconnect.findings import (
    REGISTRY,
    Finding,
    Severity,
    Verdict,
    check,
    checks_on,
    judge,
)
from csq_assets.dataconnect.raw_schema import ReplacedTexts
from csq_assets.dataconnect.sync_report import SyncReport
from csq_assets.dataconnect.tables import MANIFESTS_ASSET, SYNC_REPORTS_ASSET

# Who imports the registry from here finds it filled.
__all__ = ["REGISTRY", "Finding", "Severity", "checks_on", "judge", "judge_export"]

OVERDUE_AFTER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """The newest report, by name, and whether anything was delivered after its next sync was due."""

    name: str
    report: SyncReport
    came_since: bool
    now: datetime


def judge_export(catalog: Catalog, now: datetime) -> Iterator[tuple[str, Finding]]:
    """What the checks find on an export as it is, by asset; on reports nothing without reports."""
    facts = _report_facts(catalog, now)
    if facts is not None:
        for finding in judge("sync_reports", facts):
            yield SYNC_REPORTS_ASSET, finding
    for finding in judge("manifests", catalog.unreadable):
        yield MANIFESTS_ASSET, finding


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
    files: int
    lacking: Mapping[str, int]  # the manifest's columns that files lack, with their number
    extra: Mapping[str, int]  # columns that the manifest does not list, with the number of files
    respelled: Mapping[str, Sequence[tuple[str, int]]]  # in files, by the manifest's spelling
    nulls: Mapping[str, int]  # by key column, those with any
    rows: int
    replaced: ReplacedTexts | None = None


@dataclass(frozen=True, slots=True)
class CurrentFacts:
    """A current table as it stands. `gap` is the failed dump that `held` wait behind.

    `duplicated_keys` was counted over all rows if `judged_all`, else over those that changed.
    """

    has_key: bool
    duplicated_keys: int
    judged_all: bool
    rows_delivered: int
    rows_kept: int
    duplicates_dropped: int
    users_merged: int
    gap: int | None
    held: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class IdentityFacts:
    """The pairs of the newest `user_migrations`; the examples are some of those counted."""

    pairs: int
    refused: int
    refused_examples: tuple[str, ...]
    contested: int
    contested_examples: tuple[int, ...]
    cycles: int
    cycle_examples: tuple[tuple[int, ...], ...]


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
    """Each file has the columns that the manifest lists, and no others."""

    def of_files(number: int) -> str:
        return f"in {number:,} of {_count(facts.files, 'file', 'files')}"

    said = [
        *(f'"{column}" is missing {of_files(count)}' for column, count in facts.lacking.items()),
        *(f'"{column}" is not listed, {of_files(count)}' for column, count in facts.extra.items()),
        *(
            f'"{column}" is spelled "{spelling}" {of_files(count)}'
            for column, spellings in facts.respelled.items()
            for spelling, count in spellings
        ),
    ]
    if said:
        return False, Severity.WARN, f"dump {facts.dump_id}: {'; '.join(said)}"
    return True, Severity.WARN, "files and manifest agree"


@check(on="raw")
def text_valid(facts: RawFacts) -> Verdict:
    """All text is UTF-8."""
    replaced = facts.replaced
    if replaced is None:
        return True, Severity.WARN, "all text is UTF-8"
    sequences = _count(replaced.sequences, "sequence", "sequences")
    files = _count(replaced.files, "file", "files")
    first = f"first in {replaced.file}, row {replaced.row}"
    said = f"{sequences} that are not UTF-8, replaced by U+FFFD in {files}; {first}"
    return False, Severity.WARN, said


@check(on="raw")
def keys_not_null(facts: RawFacts) -> Verdict:
    """No column of the key holds a null."""
    if facts.nulls:
        said = ", ".join(f"{column} is null in {count:,}" for column, count in facts.nulls.items())
        return False, Severity.WARN, f"{said} of {facts.rows:,} rows"
    return True, Severity.WARN, f"no null in the key of {facts.rows:,} rows"


@check(on="current")
def unique_key(facts: CurrentFacts) -> Verdict:
    """No key occurs twice."""
    where = "in the table" if facts.judged_all else "among the rows that changed"
    if not facts.has_key:
        return True, Severity.ERROR, "rows of this table have no key"
    if facts.duplicated_keys:
        keys = _count(facts.duplicated_keys, "key occurs", "keys occur")
        return False, Severity.ERROR, f"{keys} twice {where}"
    return True, Severity.ERROR, f"every key {where} occurs once"


@check(on="current")
def rows_reconcile(facts: CurrentFacts) -> Verdict:
    """Every row that was delivered is kept, or was dropped as a duplicate, or merged."""
    dropped = facts.duplicates_dropped + facts.users_merged
    said = (
        f"{facts.rows_delivered:,} rows delivered, {facts.rows_kept:,} kept, "
        f"{dropped:,} dropped as duplicates"
    )
    lost = facts.rows_delivered - facts.rows_kept - dropped
    if lost:
        return False, Severity.ERROR, f"{said}: {lost:,} unaccounted for"
    return True, Severity.ERROR, said


@check(on="current")
def no_gap(facts: CurrentFacts) -> Verdict:
    """No increment is held behind a failed dump."""
    if facts.held:
        held = ", ".join(map(str, facts.held))
        are = "dump {} is" if len(facts.held) == 1 else "dumps {} are"
        said = f"{are.format(held)} held behind dump {facts.gap}, which failed"
        return False, Severity.ERROR, said
    return True, Severity.ERROR, "nothing is held"


@check(on="user_identity")
def migrations_resolve(facts: IdentityFacts) -> Verdict:
    """Every pair of the newest `user_migrations` can be cast, and leads to one user."""
    refused = _count(facts.refused, "pair", "pairs")
    contested = _count(facts.contested, "user", "users")
    cycles = _count(facts.cycles, "cycle", "cycles")
    told = (
        (f"{refused} left out that cannot be cast", facts.refused_examples),
        (f"{contested} with several targets, the last counts", facts.contested_examples),
        (f"{cycles}, ending at the smallest id", facts.cycle_examples),
    )
    said = [f"{what} ({'; '.join(map(str, some))})" for what, some in told if some]
    if said:
        severity = Severity.ERROR if facts.refused else Severity.WARN
        return False, severity, f"of {_count(facts.pairs, 'pair', 'pairs')}: {', '.join(said)}"
    return True, Severity.ERROR, "every pair leads to one user"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def listed(names: Iterable[str]) -> str:
    """Names for a sentence, quoted."""
    return ", ".join(f'"{name}"' for name in names)
