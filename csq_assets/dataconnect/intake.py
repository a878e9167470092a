"""Which dumps to take now, which to retry, and which wait for a report from Contentsquare."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from csq_assets.dataconnect.catalog import Catalog, SeenManifest
from csq_assets.dataconnect.dump_records import DumpRecord, Failure
from csq_assets.dataconnect.plan import plans
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS, Names

PATIENCE_WITHOUT_REPORTS = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Work:
    """What to decode of one dump; no tables where none of its tables is due."""

    dump_id: int
    tables: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Intake:
    """`take` and `wait` start with the lowest dump. `wait_reason`: why they wait, or
    why a new dump would."""

    take: tuple[Work, ...] = ()
    wait: tuple[int, ...] = ()
    wait_reason: str = ""


def decide(
    catalog: Catalog,
    records: Mapping[int, DumpRecord],
    in_lake: Collection[tuple[str, int]],
    now: datetime,
    *,
    skips: Callable[[str], bool] = lambda _table: False,
    may_retry: Callable[[Failure], bool] = lambda _failure: True,
) -> Intake:
    """Decide what is to be done. `in_lake` holds the partitions that exist, as table and dump id;
    `skips` says which tables to leave alone, and `may_retry` which failures to retry now.

    "New" holds for each table of a dump: one that was skipped before, or whose partition is gone
    from the lake, is due. A failed one is retried. What is void is left as it is; what stops being
    void once the manifests of this pass are taken, is not void.
    Source: contract.md, "When to take a dump"; export-format.md, edge cases 4 to 7, 72 and 73.
    """
    names = catalog.names(skips)
    must_wait, reason = _gate(catalog, now)
    dumps = catalog.dumps()

    def is_new(seen: SeenManifest) -> bool:
        record = records.get(seen.dump_id)
        return record is None or record.manifest != seen.content

    taken = {
        dump_id: seen for dump_id, seen in dumps.items() if is_new(seen) and not must_wait(seen)
    }
    expected = [_expected(record, taken.get(dump_id)) for dump_id, record in records.items()]
    table_plans = plans(expected)

    def is_due(table: str, seen: SeenManifest) -> bool:
        record = records.get(seen.dump_id)
        known = record.table(table) if record else None
        if known is None or not known.follows(seen.content):
            return True
        plan = table_plans.get(table)
        if plan is not None and seen.dump_id in plan.void:
            return False
        if known.failure is not None:
            return may_retry(known.failure)
        return (table, seen.dump_id) not in in_lake

    take, wait = [], []
    for dump_id, seen in dumps.items():
        due = tuple(table for table in takeable_tables(names, seen, skips) if is_due(table, seen))
        if dump_id in taken or (due and not is_new(seen)):
            take.append(Work(dump_id, due))
        elif is_new(seen):
            wait.append(dump_id)
    return Intake(tuple(take), tuple(wait), reason if wait or catalog.newest_report() else "")


def takeable_tables(
    names: Names, seen: SeenManifest, skips: Callable[[str], bool]
) -> tuple[str, ...]:
    """The tables of a dump that are neither skipped nor refused, and its property definitions."""
    tables = [table for table in seen.tables if table not in names.refused]
    if seen.has_definitions:
        tables.append(PROPERTY_DEFINITIONS)
    return tuple(table for table in tables if not skips(table))


def _expected(record: DumpRecord, redelivered: SeenManifest | None) -> DumpRecord:
    """The record as a redelivery may leave it: without the full resyncs that it takes back.

    Such a resync makes nothing void any more, so what it made void is due in the same pass.
    """
    if redelivered is None:
        return record
    kept = tuple(table for table in record.tables if table.table in redelivered.full_resyncs)
    return replace(record, tables=kept)


def _gate(catalog: Catalog, now: datetime) -> tuple[Callable[[SeenManifest], bool], str]:
    """Whether a manifest must wait, and why.

    A report names neither dump nor table, so only time links the two.
    """
    newest = catalog.newest_report()
    if newest is None:
        return (
            lambda seen: now - seen.object.modified < PATIENCE_WITHOUT_REPORTS,
            "no sync report can be read, so a manifest is taken once it is 15 minutes old",
        )
    if newest.report.succeeded:
        return (lambda _seen: False), ""
    name = newest.object.key.rpartition("/")[2]
    status = f"the newest sync report, {name}, says {newest.report.status_in_words}"
    succeeded = [seen for seen in catalog.reports if seen.report.succeeded]
    if not succeeded:
        return (lambda _seen: True), f"{status}, and no earlier one says succeeded"
    last = max(succeeded, key=lambda seen: seen.age_key)
    since = last.report.finish_time or last.object.modified
    when = f"{since:%Y-%m-%d %H:%M} UTC, when the last successful sync finished"
    return (
        lambda seen: seen.object.modified > since,
        f"{status}: manifests written after {when}, wait for the next sync that succeeds",
    )
