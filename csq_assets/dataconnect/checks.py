"""Every check: what it evaluates, its severity and its wording. Facts in, findings out.

In the metadata of a finding, counts and lists say the same for programs and plots.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from csq_assets.dataconnect.audits import IdentityAudit, TableAudit
from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.check_registry import (
    REGISTRY,
    Finding,
    Measure,
    Severity,
    Table,
    Verdict,
    check,
    checks_on,
    evaluate,
)
from csq_assets.dataconnect.drift import ColumnDrift
from csq_assets.dataconnect.raw_schema import ReplacedTexts
from csq_assets.dataconnect.sync_report import SyncReport
from csq_assets.dataconnect.tables import MANIFESTS_ASSET, SYNC_REPORTS_ASSET

# Importing the registry from here makes sure that it is filled.
__all__ = ["REGISTRY", "Finding", "Severity", "checks_on", "evaluate", "evaluate_export"]

OVERDUE_AFTER = timedelta(hours=1)
WARN, ERROR = Severity.WARN, Severity.ERROR

_REBUILD = (
    "Run csq rebuild for the table. If the check still fails, csq_assets is at fault: report it."
)


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """The newest report, by name, and whether anything was delivered since its next sync was due."""

    name: str
    report: SyncReport
    delivered_since: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class RawFacts:
    """One partition. `previous_dump_id` is None for the first dump of a table."""

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
    """A current table as it stands. `gap` is the failed dump that the dumps in `held` wait behind."""

    has_key: bool
    audit: TableAudit
    gap: int | None = None
    held: tuple[int, ...] = ()


def evaluate_export(catalog: Catalog, now: datetime) -> Iterator[tuple[str, Finding]]:
    """What the checks find on the export as it is, by asset; nothing on reports if there are none."""
    facts = _report_facts(catalog, now)
    if facts is not None:
        for finding in evaluate("sync_reports", facts):
            yield SYNC_REPORTS_ASSET, finding
    for finding in evaluate("manifests", catalog.unreadable):
        yield MANIFESTS_ASSET, finding


def _report_facts(catalog: Catalog, now: datetime) -> ReportFacts | None:
    newest = catalog.newest_report()
    if newest is None:
        return None
    due = newest.report.next_sync_at
    return ReportFacts(
        name=newest.object.key.rpartition("/")[2],
        report=newest.report,
        delivered_since=due is not None
        and any(seen.object.modified >= due for seen in catalog.manifests),
        now=now,
    )


@check(
    on="sync_reports",
    severities=(ERROR,),
    remedy="Look at the sync in Contentsquare. New dumps wait until a report says succeeded; "
    "csq sync --dump ID takes one nevertheless.",
)
def sync_succeeded(facts: ReportFacts) -> Verdict:
    """The newest sync report says `succeeded`."""
    if facts.report.succeeded:
        return Verdict(True, ERROR, f"{facts.name} says succeeded")
    because = f": {facts.report.error}" if facts.report.error else ""
    return Verdict(False, ERROR, f"{facts.name} says {facts.report.status_in_words}{because}")


@check(
    on="sync_reports",
    severities=(WARN,),
    remedy="Look at the sync in Contentsquare: it may be paused, or its schedule may have changed.",
)
def sync_on_time(facts: ReportFacts) -> Verdict:
    """The next sync arrived within an hour of the time that the newest report announced."""
    due = facts.report.next_sync_at
    if due is None:
        return Verdict(True, WARN, f"{facts.name} announces no next sync")
    when = f"{due:%Y-%m-%d %H:%M} UTC"
    if facts.now - due <= OVERDUE_AFTER or facts.delivered_since:
        return Verdict(True, WARN, f"the next sync is announced for {when}")
    return Verdict(False, WARN, f"a sync was announced for {when}, but nothing was delivered")


@check(
    on="manifests",
    severities=(ERROR,),
    remedy="Ask Contentsquare to redeliver the manifest. Every pass reads it again.",
)
def manifest_readable(problems: tuple[str, ...]) -> Verdict:
    """Every manifest in the export is valid."""
    metadata: dict[str, Measure] = {"unreadable": problems, "unreadable_count": len(problems)}
    if problems:
        return Verdict(False, ERROR, "; ".join(problems), metadata)
    return Verdict(True, ERROR, "all manifests are valid", metadata)


@check(
    on="raw",
    severities=(WARN, ERROR),
    remedy="Tell those who query the columns. A removed column leaves the current table, and "
    "its values stay in the lake.",
)
def column_drift(facts: RawFacts) -> Verdict:
    """The columns equal those of the numerically previous dump. Only additions: WARN. A removal, or
    another Avro type: ERROR. Order and nullability do not count.
    """
    if facts.previous_dump_id is None:
        return Verdict(True, WARN, f"dump {facts.dump_id} is the first of this table")
    drift = facts.drift
    changes = (
        *((name, "", "added") for name in drift.added),
        *((name, "removed", "") for name in drift.removed),
        *((one.column, " or ".join(one.before), " or ".join(one.after)) for one in drift.retyped),
    )
    metadata: dict[str, Measure] = {
        "compared_with_dump": facts.previous_dump_id,
        "added": drift.added,
        "removed": drift.removed,
        "retyped": tuple(one.column for one in drift.retyped),
        "added_count": len(drift.added),
        "removed_count": len(drift.removed),
        "retyped_count": len(drift.retyped),
        **({"changes": Table(("column", "before", "now"), changes)} if changes else {}),
    }
    if not drift:
        return Verdict(True, WARN, f"same columns as dump {facts.previous_dump_id}", metadata)
    severity = WARN if drift.only_adds else ERROR
    return Verdict(False, severity, f"dump {facts.dump_id} {drift.in_words()}", metadata)


@check(
    on="raw",
    severities=(WARN,),
    remedy="Ask Contentsquare which is right. A column that a file lacks is null there; one "
    "that the manifest does not list is in the raw table only.",
)
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
    metadata: dict[str, Measure] = {
        "files": facts.files,
        "lacking": tuple(facts.lacking),
        "extra": tuple(facts.extra),
        "respelled": tuple(facts.respelled),
    }
    if said:
        return Verdict(False, WARN, f"dump {facts.dump_id}: {'; '.join(said)}", metadata)
    return Verdict(True, WARN, "files and manifest agree", metadata)


@check(
    on="raw",
    severities=(WARN,),
    remedy="Correct the text where it is captured. Its rows are kept, with U+FFFD for what "
    "cannot be read.",
)
def text_valid(facts: RawFacts) -> Verdict:
    """All text is UTF-8."""
    replaced = facts.replaced
    if replaced is None:
        return Verdict(True, WARN, "all text is UTF-8", {"replaced": 0})
    sequences = _count(replaced.sequences, "sequence", "sequences")
    files = _count(replaced.files, "file", "files")
    first = f"first in {replaced.file}, row {replaced.row}"
    said = f"{sequences} that are not UTF-8, replaced by U+FFFD in {files}; {first}"
    return Verdict(False, WARN, said, {"replaced": replaced.sequences, "files": replaced.files})


@check(
    on="raw",
    severities=(WARN,),
    remedy="Ask Contentsquare why keys are empty. Such rows are all kept, so they may be "
    "counted twice.",
)
def keys_not_null(facts: RawFacts) -> Verdict:
    """No key column holds a null."""
    metadata: dict[str, Measure] = {
        "rows": facts.rows,
        **{f"nulls_{column}": count for column, count in facts.nulls.items()},
    }
    if facts.nulls:
        said = ", ".join(f"{column} is null in {count:,}" for column, count in facts.nulls.items())
        return Verdict(False, WARN, f"{said} of {facts.rows:,} rows", metadata)
    return Verdict(True, WARN, f"no null in the key of {facts.rows:,} rows", metadata)


@check(on="current", severities=(ERROR,), remedy=_REBUILD)
def unique_key(facts: CurrentFacts) -> Verdict:
    """No key occurs twice."""
    duplicated = facts.audit.duplicated_keys
    where = "in the table" if facts.audit.audited_all else "among the rows that changed"
    if not facts.has_key:
        return Verdict(True, ERROR, "rows of this table have no key")
    metadata: dict[str, Measure] = {"duplicated_keys": duplicated}
    if duplicated:
        keys = _count(duplicated, "key occurs", "keys occur")
        return Verdict(False, ERROR, f"{keys} twice {where}", metadata)
    return Verdict(True, ERROR, f"every key {where} occurs once", metadata)


@check(on="current", severities=(ERROR,), remedy=_REBUILD)
def rows_reconcile(facts: CurrentFacts) -> Verdict:
    """Every delivered row is kept, was dropped as a duplicate, or was merged."""
    audit = facts.audit
    metadata: dict[str, Measure] = {
        "delivered": audit.rows_delivered,
        "kept": audit.rows_kept,
        "dropped": audit.duplicates_total,
        "merged": audit.merged_total,
        "unaccounted": audit.unaccounted,
    }
    said = (
        f"{audit.rows_delivered:,} rows delivered, {audit.rows_kept:,} kept, "
        f"{audit.duplicates_total + audit.merged_total:,} dropped as duplicates"
    )
    if audit.unaccounted:
        return Verdict(False, ERROR, f"{said}: {audit.unaccounted:,} unaccounted for", metadata)
    return Verdict(True, ERROR, said, metadata)


@check(
    on="current",
    severities=(ERROR,),
    remedy="Repair the failed dump: have its file redelivered, or replace it in place, and run "
    "csq sync. A full resync of the table makes it void.",
)
def no_gap(facts: CurrentFacts) -> Verdict:
    """No increment is held behind a failed dump."""
    metadata: dict[str, Measure] = {
        "held": tuple(map(str, facts.held)),
        "held_count": len(facts.held),
        **({} if facts.gap is None else {"failed_dump": facts.gap}),
    }
    if facts.held:
        held = ", ".join(map(str, facts.held))
        are = "dump {} is" if len(facts.held) == 1 else "dumps {} are"
        said = f"{are.format(held)} held behind dump {facts.gap}, which failed"
        return Verdict(False, ERROR, said, metadata)
    return Verdict(True, ERROR, "no dump is held", metadata)


@check(
    on="user_identity",
    severities=(WARN, ERROR),
    remedy="Ask Contentsquare to correct the pairs. Those that cannot be cast merge nobody.",
)
def migrations_resolve(facts: IdentityAudit) -> Verdict:
    """Every pair of the newest `user_migrations` can be cast, and leads to one user. Cycles, or several
    targets for one user: WARN. Pairs that cannot be cast: ERROR.
    """
    refused = _count(facts.refused, "pair", "pairs")
    contested = _count(facts.contested, "user", "users")
    cycles = _count(facts.cycles, "cycle", "cycles")
    problems = (
        (f"{refused} ignored that cannot be cast", facts.refused_examples),
        (f"{contested} with several targets, the last one counts", facts.contested_examples),
        (f"{cycles}, resolved to the smallest id", facts.cycle_examples),
    )
    said = [f"{what} ({'; '.join(map(str, examples))})" for what, examples in problems if examples]
    metadata: dict[str, Measure] = {
        "pairs": facts.pairs,
        "not_castable": facts.refused,
        "several_targets": facts.contested,
        "cycles": facts.cycles,
    }
    if said:
        severity = ERROR if facts.refused else WARN
        pairs = _count(facts.pairs, "pair", "pairs")
        return Verdict(False, severity, f"of {pairs}: {', '.join(said)}", metadata)
    return Verdict(True, ERROR, "every pair leads to one user", metadata)


def _count(number: int, singular: str, plural: str) -> str:
    return f"{number:,} {singular if number == 1 else plural}"


def quoted(names: Iterable[str]) -> str:
    """Names in a sentence."""
    return ", ".join(f'"{name}"' for name in names)
