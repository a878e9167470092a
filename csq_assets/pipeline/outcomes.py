"""What a refresh did, whichever engine did it: its checks are evaluated, and the lake remembers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from csq_assets.dataconnect.audits import IdentityAudit, TableAudit
from csq_assets.dataconnect.check_registry import failing
from csq_assets.dataconnect.checks import CurrentFacts, Finding, RowFacts, evaluate
from csq_assets.dataconnect.column_types import TypeAudit
from csq_assets.dataconnect.plan import TablePlan
from csq_assets.dataconnect.relation import Relation, without
from csq_assets.dataconnect.tables import IDENTITY_ASSET, current_asset, key_columns
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.warehouse.applied_state import TableState


@dataclass(frozen=True, slots=True)
class RefreshedTable:
    """What a refresh did to one table, and what its checks found."""

    audit: TableAudit
    columns: Mapping[str, str]  # the newest manifest's, each with the name that people query
    facts: CurrentFacts
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class RefreshedIdentity:
    """What a refresh did to the identity map, and what its check found."""

    audit: IdentityAudit
    findings: tuple[Finding, ...]


class Relations(Protocol):
    """What is remembered of each relation, by asset."""

    def relation(self, asset: str) -> Relation | None: ...

    def save_relation(self, relation: Relation) -> None: ...

    def forget_relation(self, asset: str) -> None: ...


class Engine(Protocol):
    """The steps of a refresh, each on its own. `types` gives the columns that people see of a relation,
    each with its type, after its step. Methods raise StorageError; what they bring up to date is
    unchanged then.
    """

    def refresh_identity(self, *, rebuild: bool = False) -> RefreshedIdentity: ...

    def evaluate_identity(self) -> tuple[Finding, ...]: ...

    def refresh_table(self, table: str, *, rebuild: bool = False) -> RefreshedTable: ...

    def evaluate_table(self, table: str) -> tuple[Finding, ...]: ...

    def count_events(self) -> int: ...

    def refresh_meta(self) -> None: ...

    def types(self, schema: str, relation: str) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Evaluates and remembers. `uses` gives, for an asset, the columns that others depend on, with
    those."""

    effective: EffectiveDumps
    documents: Relations
    uses: Callable[[str], Mapping[str, tuple[str, ...]]]

    def identity(self, audit: IdentityAudit) -> RefreshedIdentity:
        """Evaluate the check on the map as it stands."""
        findings = evaluate("user_identity", audit)
        relation = Relation(IDENTITY_ASSET, audit.users_resolved, findings=failing(findings))
        self.documents.save_relation(relation)
        return RefreshedIdentity(audit, findings)

    def table(
        self, table: str, state: TableState | None, audit: TableAudit, types: TypeAudit
    ) -> RefreshedTable:
        """Evaluate the checks on the table as it stands, and remember what is known of it."""
        columns = state.columns if state else {}
        findings = evaluate("rows", RowFacts(bool(key_columns(table, columns)), audit, types))
        relation = self._remember(table, state, audit.rows_kept, findings)
        facts = self.effective.facts.get(table) or CurrentFacts(TablePlan())
        facts = replace(facts, relation=relation)
        return RefreshedTable(audit, columns, facts, (*findings, *evaluate("current", facts)))

    def _remember(
        self, table: str, state: TableState | None, rows: int, findings: tuple[Finding, ...]
    ) -> Relation | None:
        asset = current_asset(table)
        if state is None:
            self.documents.forget_relation(asset)
            return None
        known = self.documents.relation(asset)
        columns = tuple(state.columns.values())
        before = (column for dump in state.dumps[-2:-1] for column in state.shown(dump.columns))
        relation = Relation(
            asset,
            rows,
            state.dumps[-1].dump_id,
            columns,
            removed=without(before, columns),
            findings=failing(findings),
        ).after(known)
        if relation.gone:
            relation = relation.with_uses(self.uses(asset))
        if relation != known:
            self.documents.save_relation(relation)
        return relation
