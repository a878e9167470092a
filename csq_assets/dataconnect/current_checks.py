"""The checks on a current table and on the identity map."""

from dataclasses import dataclass, field

from csq_assets.dataconnect.audits import IdentityAudit, TableAudit
from csq_assets.dataconnect.check_registry import Measure, Severity, Table, Verdict, check
from csq_assets.dataconnect.column_types import TypeAudit
from csq_assets.dataconnect.plan import TablePlan
from csq_assets.dataconnect.relation import Relation
from csq_assets.dataconnect.wording import count, dumps, quoted

WARN, ERROR = Severity.WARN, Severity.ERROR

_REBUILD = (
    "Run csq rebuild for the table. If the check still fails, csq_assets is at fault: report it."
)


@dataclass(frozen=True, slots=True)
class RowFacts:
    """The rows of a current table as they stand, and their types."""

    has_key: bool
    audit: TableAudit
    types: TypeAudit = field(default_factory=TypeAudit)


@dataclass(frozen=True, slots=True)
class CurrentFacts:
    """What the lake knows of a current table. `pending` are the dumps that would count and are not
    decoded yet; `relation` is what the last refresh left, None before the first one."""

    plan: TablePlan
    pending: tuple[int, ...] = ()
    relation: Relation | None = None

    @property
    def unapplied(self) -> tuple[int, ...]:
        """The newest dump that counts, where the last refresh did not know it."""
        applied = self.relation.newest_dump if self.relation else None
        return tuple(dump_id for dump_id in self.plan.apply[-1:] if dump_id != applied)


@check(on="rows", severities=(ERROR,), remedy=_REBUILD)
def unique_key(facts: RowFacts) -> Verdict:
    """No key occurs twice."""
    duplicated = facts.audit.duplicated_keys
    where = "in the table" if facts.audit.audited_all else "among the rows that changed"
    if not facts.has_key:
        return Verdict(True, ERROR, "rows of this table have no key")
    metadata: dict[str, Measure] = {"duplicated_keys": duplicated}
    if duplicated:
        keys = count(duplicated, "key occurs", "keys occur")
        return Verdict(False, ERROR, f"{keys} twice {where}", metadata)
    return Verdict(True, ERROR, f"every key {where} occurs once", metadata)


@check(on="rows", severities=(ERROR,), remedy=_REBUILD)
def rows_reconcile(facts: RowFacts) -> Verdict:
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
    severities=(WARN, ERROR),
    remedy="The error of a failed partition says how to repair it; the next pass decodes it, and then "
    "what is held. A pending dump is decoded by the next pass, unless it waits for a sync report "
    "that says succeeded.",
)
def complete(facts: CurrentFacts) -> Verdict:
    """Every dump that counts is in the table. One is pending: WARN. One failed, or is held behind one
    that did: ERROR.
    """
    plan = facts.plan
    missing = (
        (plan.failed, "failed", "failed"),
        (plan.held, "is held", "are held"),
        (facts.pending, "is not decoded yet", "are not decoded yet"),
        (facts.unapplied, "is not in the table yet", "are not in the table yet"),
    )
    metadata: dict[str, Measure] = {
        "failed": tuple(map(str, plan.failed)),
        "held": tuple(map(str, plan.held)),
        "pending": tuple(map(str, (*facts.pending, *facts.unapplied))),
        "missing_count": sum(len(dump_ids) for dump_ids, *_ in missing),
    }
    said = [
        f"{dumps(dump_ids)} {one if len(dump_ids) == 1 else several}"
        for dump_ids, one, several in missing
        if dump_ids
    ]
    if said:
        severity = ERROR if plan.failed or plan.held else WARN
        return Verdict(False, severity, "; ".join(said), metadata)
    newest = f"up to dump {plan.apply[-1]}" if plan.apply else "there is none"
    return Verdict(True, ERROR, f"every dump is in the table: {newest}", metadata)


@check(
    on="current",
    severities=(ERROR,),
    remedy="Repair the failed dump: have its file redelivered, or replace it in place, and run "
    "csq sync. A full resync of the table makes it void.",
)
def no_gap(facts: CurrentFacts) -> Verdict:
    """No increment is held behind a failed dump."""
    gap, held = facts.plan.gap, facts.plan.held
    metadata: dict[str, Measure] = {
        "held": tuple(map(str, held)),
        "held_count": len(held),
        **({} if gap is None else {"failed_dump": gap}),
    }
    if held:
        are = "is" if len(held) == 1 else "are"
        said = f"{dumps(held)} {are} held behind dump {gap}, which failed"
        return Verdict(False, ERROR, said, metadata)
    return Verdict(True, ERROR, "no dump is held", metadata)


@check(
    on="current",
    severities=(WARN, ERROR),
    remedy="Tell those who query the columns; their values stay in the lake, and are back if a "
    "manifest lists them again. Let the assets that depend on them do without, and materialize those "
    "again; wipe the materializations of an asset that no longer exists.",
)
def columns_kept(facts: CurrentFacts) -> Verdict:
    """The table has the columns that people could query. The newest dump removed some: WARN. An asset
    depends on one that is gone, by its column lineage: ERROR, for as long as it does.
    """
    relation = facts.relation
    if relation is None:
        return Verdict(True, WARN, "no dump is in the table")
    uses = [(column, asset) for column, assets in relation.used.items() for asset in assets]
    metadata: dict[str, Measure] = {
        "removed": relation.removed,
        "removed_count": len(relation.removed),
        "in_use": tuple(relation.used),
        "in_use_count": len(relation.used),
        **({"uses": Table(("column", "used by"), tuple(uses))} if uses else {}),
    }
    said = [
        f'"{column}" is gone, and used by {", ".join(assets)}'
        for column, assets in relation.used.items()
    ]
    if relation.removed:
        said.insert(0, f"dump {relation.newest_dump} removes {quoted(relation.removed)}")
    if said:
        return Verdict(False, ERROR if uses else WARN, "; ".join(said), metadata)
    return Verdict(True, WARN, f"dump {relation.newest_dump} removes no column", metadata)


@check(
    on="user_identity",
    severities=(WARN, ERROR),
    remedy="Ask Contentsquare to correct the pairs. Those that cannot be cast merge nobody.",
)
def migrations_resolve(facts: IdentityAudit) -> Verdict:
    """Every pair of the newest `user_migrations` can be cast, and leads to one user. Cycles, or several
    targets for one user: WARN. Pairs that cannot be cast: ERROR.
    """
    refused = count(facts.refused, "pair", "pairs")
    contested = count(facts.contested, "user", "users")
    cycles = count(facts.cycles, "cycle", "cycles")
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
        pairs = count(facts.pairs, "pair", "pairs")
        return Verdict(False, severity, f"of {pairs}: {', '.join(said)}", metadata)
    return Verdict(True, ERROR, "every pair leads to one user", metadata)
