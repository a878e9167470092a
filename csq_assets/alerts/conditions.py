"""What is not as it should be now, and what of it is news. Values in, values out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.check_registry import Severity
from csq_assets.dataconnect.checks import REGISTRY
from csq_assets.dataconnect.intake import Rules, decide
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.tables import (
    MANIFESTS_ASSET,
    raw_asset,
    with_prefix,
)
from csq_assets.summary import CheckSummary

_OVERDUE = "sync_on_time"  # told though it is of severity WARN: nothing else tells of it
_SHOWN = 5  # dumps in a sentence
_EACH_IS_NEWS = ("column_drift", "manifest_readable")  # another finding is another failure


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is not as it should be, and stays so until it is repaired.

    `subject` names it for people, and tells one from another; the same subject in another `edition`
    is told again. `since`: None where only the first look at it says when. `page`: below the UI's URL.
    """

    subject: str
    said: str
    page: str
    severity: Severity = Severity.ERROR
    since: datetime | None = None
    remedy: str = ""
    edition: str = ""


@dataclass(frozen=True, slots=True)
class Situation:
    """How things stand: what is not well, and the tables that there are."""

    conditions: tuple[Condition, ...] = ()
    tables: tuple[str, ...] = ()

    def dated(self, earlier: "Situation", now: datetime) -> "Situation":
        """The same, where what stood `earlier` keeps its time, and what is new has begun by now."""
        known = {(one.subject, one.edition): one.since for one in earlier.conditions}
        return replace(
            self,
            conditions=tuple(
                replace(one, since=known.get((one.subject, one.edition)) or one.since or now)
                for one in self.conditions
            ),
        )


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told: what began, errors first; what is over; tables that are new. `standing` is
    what was told before, and still stands."""

    begun: tuple[Condition, ...] = ()
    over: tuple[Condition, ...] = ()
    tables: tuple[str, ...] = ()
    standing: int = 0

    def __bool__(self) -> bool:
        return bool(self.begun or self.over or self.tables)


def compare(told: Situation, present: Situation) -> News:
    """What is news in the present situation to whoever was told of an earlier one.

    No table is new to those who know of none.
    """
    known = {(one.subject, one.edition) for one in told.conditions}
    begun = [one for one in present.conditions if (one.subject, one.edition) not in known]
    subjects = {one.subject for one in present.conditions}
    return News(
        begun=tuple(sorted(begun, key=lambda one: one.severity is not Severity.ERROR)),
        over=tuple(one for one in told.conditions if one.subject not in subjects),
        tables=tuple(table for table in present.tables if table not in told.tables)
        if told.tables
        else (),
        standing=len(present.conditions) - len(begun),
    )


def find_conditions(
    state: PipelineState,
    standing: Iterable[CheckSummary],
    now: datetime,
    *,
    key_prefix: str,
    severity: str = Severity.ERROR,
) -> Iterator[Condition]:
    """What is not well by the lake. `standing` are the checks that fail; those of severity WARN count
    where `severity` is WARN."""
    yield from _closed_gate(state, now, key_prefix)
    for dump_id, record in state.failures():
        asset = with_prefix(raw_asset(record.table), key_prefix)
        if record.failure is not None:
            yield Condition(
                f"dump {dump_id} of {asset}",
                record.failure.error,
                f"assets/{asset}?view=partitions&partition={dump_id}",
                since=record.failure.at,
            )
    for table, error in state.catalog.names(state.skips).refused.items():
        yield Condition(f'table "{table}"', str(error), "assets")
    for check in standing:
        if check.is_error or severity == Severity.WARN or check.check == _OVERDUE:
            yield _failing_check(state.catalog, check)


def _closed_gate(state: PipelineState, now: datetime, key_prefix: str) -> Iterator[Condition]:
    """Dumps that wait because a sync did not succeed. Those that wait for the first report are well."""
    newest = state.catalog.newest_report()
    if newest is None or newest.report.succeeded:
        return
    intake = decide(state.catalog, state.records, (), now, Rules(state.skips))
    if intake.wait:
        asset = with_prefix(MANIFESTS_ASSET, key_prefix)
        yield Condition(
            f"{asset}: dumps wait",
            f"{_listed(intake.wait)}: {intake.wait_reason}",
            f"assets/{asset}",
            since=newest.age_key[0],
            remedy="They are taken after a sync that succeeds; csq sync --dump ID takes one now.",
        )


def _failing_check(catalog: Catalog, check: CheckSummary) -> Condition:
    newest = catalog.newest_report()
    times = {
        "sync_succeeded": newest.age_key[0] if newest else None,
        _OVERDUE: newest.report.next_sync_at if newest else None,
    }
    return Condition(
        f"{check.asset}: {check.check}",
        check.description,
        f"assets/{check.asset}?view=checks&checkDetail={check.check}",
        severity=Severity(check.severity),
        since=times.get(check.check),
        remedy=REGISTRY[check.check].remedy if check.check in REGISTRY else "",
        edition=check.description if check.check in _EACH_IS_NEWS else "",
    )


def _listed(dump_ids: Sequence[int]) -> str:
    more = len(dump_ids) - _SHOWN
    shown = ", ".join(map(str, dump_ids[:_SHOWN]))
    return f"dump {shown}{f', and {more} more' if more > 0 else ''}"
