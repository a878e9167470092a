"""Which dumps to take now, which to try again, and which wait for a word from Contentsquare."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from csq_assets.dataconnect.catalog import Catalog, SeenManifest
from csq_assets.dataconnect.ledger import DumpRecord, Failure, TableRecord, plans
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS, Names

PATIENCE_WITHOUT_REPORTS = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Work:
    """What to decode of one dump; no tables where the dump lists none that is due."""

    dump_id: int
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Intake:
    """`take` and `wait` with the lowest dump first; `wait_reason` is a sentence, or empty."""

    take: tuple[Work, ...] = ()
    wait: tuple[int, ...] = ()
    wait_reason: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is left alone, and which failures are worth another try now."""

    skips: Callable[[str], bool] = lambda _table: False
    may_retry: Callable[[Failure], bool] = lambda _failure: True


def decide(
    catalog: Catalog,
    records: Mapping[int, DumpRecord],
    in_lake: Collection[tuple[str, int]],
    now: datetime,
    rules: Rules,
) -> Intake:
    """Say what is to be done. `in_lake` holds the partitions that exist, as table and dump id.

    "New" is meant for each table of a dump: one that was skipped before, or whose partition is gone
    from the lake, is due. A failed one is tried again. What is void by now is left as it is.
    Source: contract.md, "When to take a dump"; export-format.md, edge cases 4 to 7, 72 and 73.
    """
    names = catalog.names(rules.skips)
    table_plans = plans(records.values())
    must_wait, reason = _gate(catalog, now)

    def is_due(table: str, seen: SeenManifest) -> bool:
        record = records.get(seen.dump_id)
        known = record.table(table) if record else None
        if known is None or _is_new(known, seen.content):
            return True
        plan = table_plans.get(table)
        if plan is not None and seen.dump_id in plan.void:
            return False
        if known.failure is not None:
            return rules.may_retry(known.failure)
        return (table, seen.dump_id) not in in_lake

    take, wait = [], []
    for dump_id, seen in catalog.dumps().items():
        record = records.get(dump_id)
        is_new = record is None or record.manifest != seen.content
        tables = takeable_tables(names, seen, rules.skips)
        due = tuple(table for table in tables if is_due(table, seen))
        if is_new and must_wait(seen):
            wait.append(dump_id)
        elif is_new or due:
            take.append(Work(dump_id, due))
    return Intake(tuple(take), tuple(wait), reason if wait else "")


def takeable_tables(
    names: Names, seen: SeenManifest, skips: Callable[[str], bool]
) -> tuple[str, ...]:
    """The tables of a dump that are neither skipped nor refused, and its property definitions."""
    tables = [table for table in seen.tables if table not in names.refused]
    if seen.has_definitions:
        tables.append(PROPERTY_DEFINITIONS)
    return tuple(table for table in tables if not skips(table))


def _is_new(known: TableRecord, content: str) -> bool:
    newest_try = known.failure or known.content
    return newest_try is None or newest_try.manifest != content


def _gate(catalog: Catalog, now: datetime) -> tuple[Callable[[SeenManifest], bool], str]:
    """Whether a manifest must wait, and why.

    A report names neither dump nor table, so nothing but time links the two.
    """
    newest = catalog.newest_report()
    if newest is None:
        return (
            lambda seen: now - seen.object.modified < PATIENCE_WITHOUT_REPORTS,
            "no sync report can be read, so a manifest is taken once it is 15 minutes old",
        )
    if newest.report.succeeded:
        return (lambda _seen: False), ""
    status = f"the newest sync report says {newest.report.status_in_words}"
    succeeded = [seen for seen in catalog.reports if seen.report.succeeded]
    if not succeeded:
        return (lambda _seen: True), f"{status}, and none before it says succeeded"
    last = max(succeeded, key=lambda seen: seen.age_key)
    since = last.report.finish_time or last.object.modified
    when = f"{since:%Y-%m-%d %H:%M} UTC, when the last succeeded sync finished"
    return (
        lambda seen: seen.object.modified > since,
        f"{status}: what was written after {when}, waits for the next that succeeds",
    )
