"""Factory of `csq/user_identity` and `csq/current/*`: all refreshed by one step."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from csq_assets.dataconnect.checks import Finding
from csq_assets.dataconnect.overview import Overview
from csq_assets.dataconnect.tables import (
    ALL_EVENTS,
    ALL_EVENTS_ASSET,
    DUMP_ID,
    IDENTITY_ASSET,
    RAW_USER_ID,
    USER_MIGRATIONS,
    USERS,
    current_asset,
    may_hold_events,
)
from csq_assets.defs import descriptions
from csq_assets.defs.checks import check_specs, evaluations
from csq_assets.defs.events import Event
from csq_assets.defs.failures import as_failure, combined_failure
from csq_assets.defs.keys import ALL_EVENTS_KEY, USER_IDENTITY, current_key, raw_key
from csq_assets.defs.refreshing import IdentityRefreshed, Refreshed, Refreshing
from csq_assets.defs.resources import LakeResource, WarehouseResource
from csq_assets.errors import CsqError
from csq_assets.warehouse.snapshot import publish_snapshot

CURRENT_JOB = "csq_current"
_OP = "csq_refresh"


class RefreshConfig(dg.Config):
    """With `rebuild`, tables are replayed from the lake and judged over all their rows."""

    rebuild: bool = False


def refresh_config(*, rebuild: bool) -> dict[str, Any]:
    """The config of a run that refreshes."""
    return {"ops": {_OP: {"config": {"rebuild": rebuild}}}}


def current_selection(tables: Sequence[str]) -> list[dg.AssetKey]:
    """What a run that refreshes these tables selects: identity goes before them, events after."""
    events = any(map(may_hold_events, tables))
    keys = [USER_IDENTITY, *map(current_key, tables)]
    return [*keys, ALL_EVENTS_KEY] if events else keys


def build_current_assets(
    tables: Sequence[str],
    *,
    skips: Callable[[str], bool],
    owners: Sequence[str] = (),
    on_findings: Callable[[str, Sequence[Finding]], None] = lambda _asset, _findings: None,
) -> dg.AssetsDefinition:
    """The identity map, the current table of each of `tables`, and `csq.all_events`.

    The step goes on past a table that fails, and fails at the end. `on_findings` is told what the
    checks found on each asset.
    """
    table_of = {current_key(table): table for table in tables}

    @dg.multi_asset(
        name=_OP,
        specs=[
            _spec(
                USER_IDENTITY,
                descriptions.USER_IDENTITY,
                [_all_dumps(USER_MIGRATIONS)] if USER_MIGRATIONS in tables else [],
                owners,
            ),
            *(
                _spec(
                    key,
                    descriptions.describe_current(table),
                    [_all_dumps(table), *([] if table == USER_MIGRATIONS else [USER_IDENTITY])],
                    owners,
                )
                for key, table in table_of.items()
            ),
            _spec(
                ALL_EVENTS_KEY,
                descriptions.ALL_EVENTS,
                [key for key, table in table_of.items() if may_hold_events(table)],
                owners,
            ),
        ],
        check_specs=[
            *check_specs("user_identity", USER_IDENTITY),
            *(spec for key in table_of for spec in check_specs("current", key)),
        ],
        can_subset=True,
    )
    def csq_refresh(
        context: dg.AssetExecutionContext,
        config: RefreshConfig,
        lake: LakeResource,
        warehouse: WarehouseResource,
    ) -> Iterator[Event]:
        opened = lake.open()
        overview = Overview(opened.documents.catalog(), opened.documents.records(), skips)
        errors: list[str] = []
        try:
            with warehouse.get_connection() as connection:
                refreshing = Refreshing(connection, opened, overview)
                if not context.selected_asset_keys:
                    yield from _judge(context, refreshing, table_of)
                    return
                for asset, findings, materialization in _refresh(
                    context, refreshing, table_of, errors, rebuild=config.rebuild
                ):
                    if findings:
                        on_findings(asset, findings)
                    yield materialization
                    yield from evaluations(findings, materialization.asset_key)
                refreshing.finish()
            if warehouse.snapshot_path:
                publish_snapshot(warehouse.database, warehouse.snapshot_path)
        except CsqError as error:
            raise as_failure(error) from None
        if errors:
            raise combined_failure("current tables", errors)

    return csq_refresh


def _spec(
    key: dg.AssetKey,
    description: str,
    deps: Sequence[dg.AssetDep | dg.AssetKey],
    owners: Sequence[str],
) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        deps=deps,
        description=description,
        group_name="current",
        kinds={"duckdb"},
        owners=owners,
        skippable=True,
    )


def _all_dumps(table: str) -> dg.AssetDep:
    return dg.AssetDep(raw_key(table), partition_mapping=dg.AllPartitionMapping())


def _refresh(
    context: dg.AssetExecutionContext,
    refreshing: Refreshing,
    table_of: Mapping[dg.AssetKey, str],
    errors: list[str],
    *,
    rebuild: bool,
) -> Iterator[tuple[str, Sequence[Finding], dg.AssetMaterialization]]:
    """What is selected, one after the other; `errors` takes those of tables that fail."""
    selected = context.selected_asset_keys
    identity = refreshing.refresh_identity(rebuild=rebuild)
    if USER_IDENTITY in selected:
        types = refreshing.types("csq_meta", "user_identity")
        yield IDENTITY_ASSET, identity.findings, _identity_result(identity, types)
    for key, table in table_of.items():
        if key not in selected:
            continue
        try:
            refreshed = refreshing.refresh_table(table, now=datetime.now(UTC), rebuild=rebuild)
        except CsqError as error:
            errors.append(str(error.at(table=table)))
            context.log.error(errors[-1])  # noqa: TRY400 - the error says it all
            continue
        result = _table_result(table, refreshed, refreshing.types("csq", table))
        yield current_asset(table), refreshed.findings, result
    if ALL_EVENTS_KEY in selected:
        rows, types = refreshing.count_events(), refreshing.types("csq", ALL_EVENTS)
        yield ALL_EVENTS_ASSET, (), _events_result(rows, types)


def _judge(
    context: dg.AssetExecutionContext, refreshing: Refreshing, table_of: Mapping[dg.AssetKey, str]
) -> Iterator[dg.AssetCheckEvaluation]:
    """Where a run executes checks alone: of those assets, as they stand."""
    asked = {check.asset_key for check in context.selected_asset_check_keys}
    for key in (USER_IDENTITY, *table_of):
        if key not in asked:
            continue
        findings = (
            refreshing.judge_identity()
            if key == USER_IDENTITY
            else refreshing.judge_table(table_of[key])
        )
        for evaluation in evaluations(findings, key):
            if evaluation.asset_check_key in context.selected_asset_check_keys:
                yield evaluation
    refreshing.keep_findings()


def _identity_result(
    refreshed: IdentityRefreshed, types: Mapping[str, str]
) -> dg.AssetMaterialization:
    audit = refreshed.audit
    return dg.AssetMaterialization(
        USER_IDENTITY,
        metadata={
            "dagster/row_count": audit.users_resolved,
            "pairs_delivered": audit.pairs,
            "users_changed": audit.users_changed,
            **_relation("csq_meta", "user_identity", types),
        },
    )


def _events_result(rows: int, types: Mapping[str, str]) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        ALL_EVENTS_KEY,
        metadata={"dagster/row_count": rows, **_relation("csq", ALL_EVENTS, types)},
    )


def _table_result(
    table: str, refreshed: Refreshed, types: Mapping[str, str]
) -> dg.AssetMaterialization:
    audit, key = refreshed.audit, current_key(table)
    return dg.AssetMaterialization(
        key,
        metadata={
            "dagster/row_count": audit.rows_kept,
            "change": audit.change,
            "rows_in": audit.rows_in,
            "rows_new": audit.rows_new,
            "rows_updated": audit.rows_updated,
            "rows_reresolved": audit.rows_reresolved,
            "duplicates_dropped": audit.duplicates_dropped,
            "users_merged": audit.users_merged,
            **_relation("csq", table, types),
            "dagster/column_lineage": _lineage(table, refreshed.columns),
        },
    )


def _relation(schema: str, relation: str, types: Mapping[str, str]) -> dict[str, Any]:
    columns = [dg.TableColumn(name, dtype) for name, dtype in types.items()]
    return {
        "dagster/table_name": f"{schema}.{relation}",
        "dagster/column_schema": dg.TableSchema(columns=columns),
    }


def _lineage(table: str, columns: Mapping[str, str]) -> dg.TableColumnLineage:
    """Each column of the current table, by the raw columns that it comes from."""
    raw = raw_key(table)
    deps = {shown: [dg.TableColumnDep(raw, delivered)] for delivered, shown in columns.items()}
    if "user_id" in columns:
        deps[columns["user_id"]].append(dg.TableColumnDep(USER_IDENTITY, "user_id"))
        if table != USERS:
            deps[RAW_USER_ID] = [dg.TableColumnDep(raw, "user_id")]
    deps[DUMP_ID] = [dg.TableColumnDep(raw, DUMP_ID)]
    return dg.TableColumnLineage(deps_by_column=deps)
