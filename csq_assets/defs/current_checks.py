"""The checks on current tables that need no rows: evaluated by steps, and by passes when the lake knows
something new."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import dagster as dg

from csq_assets.dataconnect.check_registry import evaluate
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.defs.check_results import evaluations, record_news
from csq_assets.defs.keys import Keys
from csq_assets.lake.locations import Lake

_LINEAGE = "dagster/column_lineage"


def columns_in_use(
    instance: dg.DagsterInstance, keys: Keys, asset: str
) -> Mapping[str, tuple[str, ...]]:
    """The columns of a current table that marts and assets of people's own depend on, in whichever code
    location, each with those assets: by the column lineage of their newest materialization."""
    used: dict[str, list[str]] = {}
    table, own = keys.asset(asset), keys.asset("csq").path
    others = [
        key for key in instance.all_asset_keys() if not key.has_prefix(own) or keys.is_mart(key)
    ]
    for record in instance.get_asset_records(others) if others else ():
        newest = record.asset_entry.last_materialization
        known = newest.asset_materialization if newest else None
        lineage = known.metadata.get(_LINEAGE) if known else None
        if isinstance(lineage, dg.TableColumnLineageMetadataValue):
            for dep in {
                dep
                for deps in lineage.column_lineage.deps_by_column.values()
                for dep in deps
                if dep.asset_key == table
            }:
                users = used.setdefault(dep.column_name, [])
                users.append(record.asset_entry.asset_key.to_user_string())
    return {column: tuple(sorted(set(assets))) for column, assets in used.items()}


def record_current_checks(
    instance: dg.DagsterInstance,
    keys: Keys,
    lake: Lake,
    state: PipelineState,
    tables: Collection[str] | None = None,
) -> list[dg.AssetCheckEvaluation]:
    """Evaluate what the lake knows of current tables, and record what says something new, without
    refreshing the tables; gives those. With `tables`, of these alone: others have no assets yet."""
    found: list[dg.AssetCheckEvaluation] = []
    for table, facts in state.current_facts().items():
        if tables is not None and table not in tables:
            continue
        relation = facts.relation
        if relation is not None and relation.used:  # by now the assets may do without
            relation = relation.with_uses(columns_in_use(instance, keys, relation.asset))
            if relation != facts.relation:
                lake.documents.save_relation(relation)
        findings = evaluate("current", replace(facts, relation=relation))
        found += evaluations(findings, keys.current(table))
    return record_news(instance, found)
