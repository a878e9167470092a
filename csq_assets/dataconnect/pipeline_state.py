"""The state of the pipeline: tables, dumps and checks, as the lake remembers them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.check_registry import Finding, evaluate
from csq_assets.dataconnect.current_checks import CurrentFacts
from csq_assets.dataconnect.dump_records import DumpRecord, TableRecord
from csq_assets.dataconnect.intake import takeable_tables
from csq_assets.dataconnect.plan import TablePlan, plans
from csq_assets.dataconnect.relation import Relation
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS, current_asset, is_full_resync
from csq_assets.errors import UsageError


@dataclass(frozen=True, slots=True)
class StandingFinding:
    """A check that did not pass on a table's newest partition."""

    table: str
    dump_id: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class PipelineState:
    """What was seen, what was taken, and what refreshes left, by asset; with the names and plans that
    follow.

    Tables that are skipped, or whose name is refused, are left out.
    """

    catalog: Catalog
    records: Mapping[int, DumpRecord]
    skips: Callable[[str], bool]
    relations: Mapping[str, Relation] = field(default_factory=dict[str, Relation])

    def plans(self) -> dict[str, TablePlan]:
        """By table, in the order in which tables were first seen."""
        found = plans(self.records.values())
        return {
            table: found[table] for table in self.catalog.names(self.skips).kept if table in found
        }

    def pending(self) -> dict[str, tuple[int, ...]]:
        """By table, the dumps that are known and not decoded as they were delivered last, lowest first;
        property definitions included. Tables without are left out."""
        names = self.catalog.names(self.skips)
        found: dict[str, tuple[int, ...]] = {}
        for dump_id, seen in self.catalog.dumps().items():
            record = self.records.get(dump_id)
            for table in takeable_tables(names, seen, self.skips):
                known = record.table(table) if record else None
                if known is None or not known.follows(seen.content):
                    found[table] = (*found.get(table, ()), dump_id)
        return found

    def current_facts(self) -> dict[str, CurrentFacts]:
        """Of each table that a dump lists, in the order in which they were first seen."""
        found, pending = self.plans(), self.pending()
        facts: dict[str, CurrentFacts] = {}
        for table in self.catalog.names(self.skips).kept:
            plan = found.get(table, TablePlan())
            first = self._full_resync(table, plan)
            counting = tuple(one for one in pending.get(table, ()) if one >= first)
            facts[table] = CurrentFacts(plan, counting, self.relations.get(current_asset(table)))
        return facts

    def standing_findings(self) -> Iterator[StandingFinding]:
        """The failing checks on the newest partition of each table: a later dump has the last word."""
        for table in self.plans():
            for dump_id, record in self._newest_first(table):
                if record.content is not None:
                    yield from (StandingFinding(table, dump_id, one) for one in record.findings)
                    break

    def current_findings(self) -> Iterator[tuple[str, Finding]]:
        """The failing checks on current tables, on the identity map and on marts, by asset."""
        for table, facts in self.current_facts().items():
            for finding in evaluate("current", facts):
                if not finding.passed:
                    yield current_asset(table), finding
        for asset, relation in self.relations.items():
            yield from ((asset, finding) for finding in (*relation.findings, *relation.tests))

    def problems(self) -> Iterator[tuple[str, str]]:
        """Why marts and published relations are not up to date, by asset."""
        for asset, relation in self.relations.items():
            if relation.problem:
                yield asset, relation.problem

    def failures(self) -> Iterator[tuple[int, TableRecord]]:
        """What must be retried, property definitions included."""
        found = self.plans()
        keeps_definitions = not self.skips(PROPERTY_DEFINITIONS)
        for dump_id, record in self.records.items():
            for table in record.tables:
                failed = table.table in found and dump_id in found[table.table].failed
                lost = table.table == PROPERTY_DEFINITIONS and table.failure is not None
                if failed or (lost and keeps_definitions):
                    yield dump_id, table

    def void_errors(self) -> Iterator[str]:
        """The errors of attempts whose dump has become void."""
        found = self.plans()
        for dump_id, record in self.records.items():
            for table in record.tables:
                is_void = table.table in found and dump_id in found[table.table].void
                if is_void and table.failure is not None:
                    yield table.failure.error

    def _full_resync(self, table: str, plan: TablePlan) -> int:
        """The one that makes all before it void, -1 where there is none."""
        for dump_id in plan.apply[:1]:
            record = self.records[dump_id].table(table)
            content = record.content if record else None
            if content and is_full_resync(table, incremental=content.incremental):
                return dump_id
        return -1

    def _newest_first(self, table: str) -> Iterator[tuple[int, TableRecord]]:
        for dump_id in sorted(self.records, reverse=True):
            record = self.records[dump_id].table(table)
            if record is not None:
                yield dump_id, record


def choose_tables(known: Iterable[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Those of the `known` tables that are `wanted`, all if none is. Raises UsageError for another."""
    known = tuple(known)
    for table in wanted:
        if table not in known:
            raise UsageError(
                f'there is no table "{table}" in the lake',
                remedy=f"Known tables: {', '.join(known) or 'none'}.",
            )
    return tuple(table for table in known if table in wanted or not wanted)
