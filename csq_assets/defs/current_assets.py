"""Factories of `csq/user_identity` and `csq/current/*`: an asset and a step for each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster_duckdb import DuckDBResource

from csq_assets.dataconnect.check_registry import Finding, Subject
from csq_assets.dataconnect.tables import (
    ALL_EVENTS,
    IDENTITY_ASSET,
    USER_MIGRATIONS,
    current_asset,
    may_hold_events,
)
from csq_assets.defs import descriptions, metadata
from csq_assets.defs.check_results import check_specs, evaluations, newest_materialization
from csq_assets.defs.failures import errors_as_failures
from csq_assets.defs.keys import (
    ALL_EVENTS_KEY,
    DUCKDB_IO,
    MANIFESTS,
    META,
    SNAPSHOT,
    SYNC_REPORTS,
    USER_IDENTITY,
    current_key,
    raw_key,
    step_name,
)
from csq_assets.defs.resources import LakeResource, connect
from csq_assets.pipeline.lake_guard import check_lake
from csq_assets.pipeline.refresh import Refresh
from csq_assets.warehouse.columns import shown_types
from csq_assets.warehouse.snapshot import publish_snapshot

CODE_VERSION = "1"  # changes when the same partitions give other rows

Result = dg.MaterializeResult[Any] | dg.AssetCheckEvaluation


class RefreshConfig(dg.Config):
    """With `rebuild`, the table is replayed from the lake, and checked over all its rows."""

    rebuild: bool = False


@dataclass(frozen=True, slots=True)
class CurrentAssets:
    """The factories. `skips` says which tables are left alone; `owners` are those of all assets."""

    skips: Callable[[str], bool]
    owners: Sequence[str] = ()

    def build(self, tables: Sequence[str]) -> list[dg.AssetsDefinition]:
        """The identity map, the current tables, `csq.all_events`, and the rest of `csq_meta`."""
        return [
            self._user_identity(has_migrations=USER_MIGRATIONS in tables),
            *map(self._current_table, tables),
            self._all_events([table for table in tables if may_hold_events(table)]),
            self._meta(),
        ]

    def _user_identity(self, *, has_migrations: bool) -> dg.AssetsDefinition:
        deps = [_all_dumps(USER_MIGRATIONS)] if has_migrations else []
        spec = self._spec(USER_IDENTITY, descriptions.USER_IDENTITY, deps, "csq_meta")

        @_step(spec, "user_identity")
        def user_identity(
            context: dg.AssetExecutionContext,
            config: RefreshConfig,
            csq_lake: LakeResource,
            csq_duckdb: DuckDBResource,
        ) -> Iterator[Result]:
            with self._refreshing(csq_lake, csq_duckdb) as refresh:
                if not context.selected_asset_keys:
                    findings = refresh.evaluate_identity()
                else:
                    refreshed = refresh.refresh_identity(rebuild=config.rebuild)
                    findings = refreshed.findings
                    types = shown_types(refresh.connection, "csq_meta", "user_identity")
                    yield dg.MaterializeResult(
                        asset_key=USER_IDENTITY,
                        metadata=metadata.identity_metadata(refreshed, types),
                    )
                csq_lake.open().documents.save_findings(IDENTITY_ASSET, findings)
            yield from _evaluations(context, findings, USER_IDENTITY)

        return user_identity

    def _current_table(self, table: str) -> dg.AssetsDefinition:
        key = current_key(table)
        deps = [_all_dumps(table), *([] if table == USER_MIGRATIONS else [USER_IDENTITY])]
        spec = self._spec(key, descriptions.describe_current(table), deps, "csq", table)

        @_step(spec, "current")
        def current_table(
            context: dg.AssetExecutionContext,
            config: RefreshConfig,
            csq_lake: LakeResource,
            csq_duckdb: DuckDBResource,
        ) -> Iterator[Result]:
            with self._refreshing(csq_lake, csq_duckdb) as refresh:
                if not context.selected_asset_keys:
                    findings = refresh.evaluate_table(table)
                else:
                    refreshed = refresh.refresh_table(table, rebuild=config.rebuild)
                    findings = refreshed.findings
                    types = shown_types(refresh.connection, "csq", table)
                    yield dg.MaterializeResult(
                        asset_key=key, metadata=metadata.table_metadata(table, refreshed, types)
                    )
                csq_lake.open().documents.save_findings(current_asset(table), findings)
            yield from _evaluations(context, findings, key)

        return current_table

    def _all_events(self, tables: Sequence[str]) -> dg.AssetsDefinition:
        deps = list(map(current_key, tables))
        spec = self._spec(ALL_EVENTS_KEY, descriptions.ALL_EVENTS, deps, "csq")

        @_step(spec)
        def all_events(
            context: dg.AssetExecutionContext, csq_lake: LakeResource, csq_duckdb: DuckDBResource
        ) -> Iterator[Result]:
            with self._refreshing(csq_lake, csq_duckdb) as refresh:
                types = shown_types(refresh.connection, "csq", ALL_EVENTS)
                facts = metadata.events_metadata(refresh.count_events(), types)
                yield dg.MaterializeResult(asset_key=ALL_EVENTS_KEY, metadata=facts)

        return all_events

    def _meta(self) -> dg.AssetsDefinition:
        spec = self._spec(META, descriptions.META, [SYNC_REPORTS, MANIFESTS])

        @_step(spec)
        def meta(
            context: dg.AssetExecutionContext, csq_lake: LakeResource, csq_duckdb: DuckDBResource
        ) -> Iterator[Result]:
            with self._refreshing(csq_lake, csq_duckdb) as refresh:
                for table in refresh.refresh_meta():
                    csq_lake.open().documents.save_findings(current_asset(table), ())
                yield dg.MaterializeResult(asset_key=META)

        return meta

    def snapshot(self, tables: Sequence[str], path: str) -> dg.AssetsDefinition:
        """The copy of the DuckDB file at `path`, for readers that stay connected."""
        deps = [USER_IDENTITY, META, *map(current_key, tables)]
        spec = self._spec(SNAPSHOT, descriptions.SNAPSHOT, deps)

        @_step(spec)
        def snapshot(
            context: dg.AssetExecutionContext, csq_duckdb: DuckDBResource
        ) -> Iterator[Result]:
            with errors_as_failures(), connect(csq_duckdb) as connection:
                size_bytes = publish_snapshot(connection, csq_duckdb.database, path)
            facts = {"dagster/uri": path, "size_bytes": size_bytes}
            yield dg.MaterializeResult(asset_key=SNAPSHOT, metadata=facts)

        return snapshot

    @contextmanager
    def _refreshing(self, lake: LakeResource, duckdb: DuckDBResource) -> Iterator[Refresh]:
        with errors_as_failures(), connect(duckdb) as connection:
            effective = lake.effective_dumps(self.skips)
            check_lake(connection, lake.open(), effective.state.records)
            yield Refresh(connection, effective, datetime.now(UTC))

    def _spec(
        self,
        key: dg.AssetKey,
        description: str,
        deps: Sequence[dg.AssetDep | dg.AssetKey],
        schema: str | None = None,
        table: str | None = None,
    ) -> dg.AssetSpec:
        """Of a relation in `schema`, which `csq_duckdb_io` reads, or of something else."""
        spec = dg.AssetSpec(
            key,
            deps=deps,
            description=description,
            group_name="current",
            kinds={"duckdb"},
            owners=self.owners,
            metadata={"schema": schema, "table": table or key.path[-1]} if schema else {},
            tags={"dagster/storage_kind": "duckdb"},
            code_version=CODE_VERSION,
        )
        return spec.with_io_manager_key(DUCKDB_IO) if schema else spec


def _step(
    spec: dg.AssetSpec, subject: Subject | None = None
) -> Callable[[Callable[..., Iterator[Result]]], dg.AssetsDefinition]:
    """The step that materializes the asset, or executes its checks alone."""
    return dg.multi_asset(
        name=step_name(spec.key),
        specs=[spec],
        check_specs=[*check_specs(subject, spec.key)] if subject else [],
        can_subset=True,
    )


def _evaluations(
    context: dg.AssetExecutionContext, findings: Sequence[Finding], key: dg.AssetKey
) -> Iterator[dg.AssetCheckEvaluation]:
    """All findings on an asset that was materialized; else those of the selected checks."""
    selected = {check.name for check in context.selected_asset_check_keys}
    if context.selected_asset_keys:
        selected = {finding.check for finding in findings}
    target = newest_materialization(context.instance, key)
    chosen = [finding for finding in findings if finding.check in selected]
    yield from evaluations(chosen, key, target=target)


def _all_dumps(table: str) -> dg.AssetDep:
    return dg.AssetDep(raw_key(table), partition_mapping=dg.AllPartitionMapping())
