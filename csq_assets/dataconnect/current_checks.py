"""The checks on a current table and on the identity map."""

from dataclasses import dataclass

from csq_assets.dataconnect.audits import IdentityAudit, TableAudit
from csq_assets.dataconnect.check_registry import Measure, Severity, Verdict, check
from csq_assets.dataconnect.wording import count

WARN, ERROR = Severity.WARN, Severity.ERROR

_REBUILD = (
    "Run csq rebuild for the table. If the check still fails, csq_assets is at fault: report it."
)


@dataclass(frozen=True, slots=True)
class CurrentFacts:
    """A current table as it stands. `gap` is the failed dump that the dumps in `held` wait behind."""

    has_key: bool
    audit: TableAudit
    gap: int | None = None
    held: tuple[int, ...] = ()


@check(on="current", severities=(ERROR,), remedy=_REBUILD)
def unique_key(facts: CurrentFacts) -> Verdict:
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
