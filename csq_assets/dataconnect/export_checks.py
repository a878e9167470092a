"""The checks on what Contentsquare reports and on its manifests."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.check_registry import (
    Finding,
    Measure,
    Severity,
    Verdict,
    check,
    evaluate,
)
from csq_assets.dataconnect.sync_report import SyncReport
from csq_assets.dataconnect.tables import MANIFESTS_ASSET, SYNC_REPORTS_ASSET

OVERDUE_AFTER = timedelta(hours=1)
WARN, ERROR = Severity.WARN, Severity.ERROR


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """The newest report, by name, and whether anything was delivered since its next sync was due."""

    name: str
    report: SyncReport
    delivered_since: bool
    now: datetime


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
        return Verdict(
            False, ERROR, "; ".join(problem.rstrip(".") for problem in problems), metadata
        )
    return Verdict(True, ERROR, "all manifests are valid", metadata)
