"""Factories of `csq/user_identity` and `csq/current/*`: an asset and a step for each."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from csq_assets.dataconnect.check_registry import Finding, Subject
from csq_assets.dataconnect.tables import (
    ALL_EVENTS,
    USER_MIGRATIONS,
    may_hold_events,
)
from csq_assets.defs import descriptions, metadata
from csq_assets.defs.check_results import check_specs, evaluations, newest_materialization
from csq_assets.defs.current_checks import columns_in_use
from csq_assets.defs.failures import errors_as_failures
from csq_assets.defs.keys import Keys, step_name
from csq_assets.defs.resources import Resources, connect
from csq_assets.defs.spark_engine import SparkEngine
from csq_assets.pipeline.lake_guard import check_lake
from csq_assets.pipeline.outcomes import Engine
from csq_assets.pipeline.refresh import Refresh
from csq_assets.pipeline.type_file import read_chosen_types
from csq_assets.warehouse.snapshot import publish_snapshot

CODE_VERSION = "1"  # changes when the same partitions give other rows

Result = dg.MaterializeResult[Any] | dg.AssetCheckEvaluation


class RefreshConfig(dg.Config):
    """With `rebuild`, the table is replayed from the lake, and checked over all its rows."""

    rebuild: bool = False


@dataclass(frozen=True, slots=True)
class CurrentAssets:
    """The factories. `skips` says which tables are left alone; `owners` are those of all assets;
    `types` is the file of chosen types. Without `spark`, DuckDB keeps the tables."""

    keys: Keys
    skips: Callable[[str], bool]
    owners: Sequence[str] = ()
    types: Path | None = None
    spark: SparkEngine | None = None

    def build(self, tables: Sequence[str]) -> list[dg.AssetsDefinition]:
        """The identity map, the current tables, `csq.all_events`, and the rest of `csq_meta`."""
        return [
            self._user_identity(has_migrations=USER_MIGRATIONS in tables),
            *map(self._current_table, tables),
            self._all_events([table for table in tables if may_hold_events(table)]),
            self._meta(),
        ]

    def _user_identity(self, *, has_migrations: bool) -> dg.AssetsDefinition:
        deps = [self._all_dumps(USER_MIGRATIONS)] if has_migrations else []
        key = self.keys.user_identity
        spec = self._spec(key, descriptions.USER_IDENTITY, deps, "csq_meta")

        @self._step(spec, "user_identity")
        def user_identity(
            context: dg.AssetExecutionContext, config: RefreshConfig
        ) -> Iterator[Result]:
            with self._refreshing(context) as refresh:
                if not context.selected_asset_keys:
                    findings = refresh.evaluate_identity()
                else:
                    refreshed = refresh.refresh_identity(rebuild=config.rebuild)
                    findings = refreshed.findings
                    types = refresh.types("csq_meta", "user_identity")
                    yield dg.MaterializeResult(
                        asset_key=key, metadata=metadata.identity_metadata(refreshed, types)
                    )
            yield from _evaluations(context, findings, key)

        return user_identity

    def _current_table(self, table: str) -> dg.AssetsDefinition:
        key = self.keys.current(table)
        identity = [] if table == USER_MIGRATIONS else [self.keys.user_identity]
        deps = [self._all_dumps(table), *identity]
        spec = self._spec(key, descriptions.describe_current(table), deps, "csq", table)

        @self._step(spec, "rows", "current")
        def current_table(
            context: dg.AssetExecutionContext, config: RefreshConfig
        ) -> Iterator[Result]:
            with self._refreshing(context) as refresh:
                if not context.selected_asset_keys:
                    findings = refresh.evaluate_table(table)
                else:
                    refreshed = refresh.refresh_table(table, rebuild=config.rebuild)
                    findings = refreshed.findings
                    types = refresh.types("csq", table)
                    yield dg.MaterializeResult(
                        asset_key=key,
                        metadata=metadata.table_metadata(self.keys, table, refreshed, types),
                    )
            yield from _evaluations(context, findings, key)

        return current_table

    def _all_events(self, tables: Sequence[str]) -> dg.AssetsDefinition:
        key, deps = self.keys.all_events, list(map(self.keys.current, tables))
        spec = self._spec(key, descriptions.ALL_EVENTS, deps, "csq")

        @self._step(spec)
        def all_events(context: dg.AssetExecutionContext) -> Iterator[Result]:
            with self._refreshing(context) as refresh:
                rows = refresh.count_events()
                facts = metadata.events_metadata(rows, refresh.types("csq", ALL_EVENTS))
                yield dg.MaterializeResult(asset_key=key, metadata=facts)

        return all_events

    def _meta(self) -> dg.AssetsDefinition:
        key, deps = self.keys.meta, [self.keys.sync_reports, self.keys.manifests]

        @self._step(self._spec(key, descriptions.META, deps))
        def meta(context: dg.AssetExecutionContext) -> Iterator[Result]:
            with self._refreshing(context) as refresh:
                refresh.refresh_meta()
                yield dg.MaterializeResult(asset_key=key)

        return meta

    def snapshot(self, tables: Sequence[str], path: str) -> dg.AssetsDefinition:
        """The copy of the DuckDB file at `path`, for readers that stay connected."""
        keys = self.keys
        deps = [keys.user_identity, keys.meta, *map(keys.current, tables)]

        @self._step(self._spec(keys.snapshot, descriptions.SNAPSHOT, deps))
        def snapshot(context: dg.AssetExecutionContext) -> Iterator[Result]:
            duckdb = Resources(context.resources, keys).duckdb
            with errors_as_failures(), connect(duckdb) as connection:
                size_bytes = publish_snapshot(connection, duckdb.database, path)
            facts = {"dagster/uri": path, "size_bytes": size_bytes}
            yield dg.MaterializeResult(asset_key=keys.snapshot, metadata=facts)

        return snapshot

    @contextmanager
    def _refreshing(self, context: dg.AssetExecutionContext) -> Iterator[Engine]:
        if self.spark is not None:
            with self.spark.refreshing(context, self.keys, self.skips) as engine:
                yield engine
            return
        resources = Resources(context.resources, self.keys)
        with errors_as_failures(), connect(resources.duckdb) as connection:
            effective, lake = resources.lake.effective_dumps(self.skips), resources.lake.open()
            check_lake(connection, lake, effective.state.records)
            uses = partial(columns_in_use, context.instance, self.keys)
            pins = read_chosen_types(self.types).pins
            yield Refresh(connection, effective, lake.documents, datetime.now(UTC), uses, pins)

    def _spec(
        self,
        key: dg.AssetKey,
        description: str,
        deps: Sequence[dg.AssetDep | dg.AssetKey],
        schema: str | None = None,
        table: str | None = None,
    ) -> dg.AssetSpec:
        """Of a relation in `schema`, which the IO manager reads, or of something else."""
        kinds = {"spark", "iceberg"} if self.spark else {"duckdb"}
        spec = dg.AssetSpec(
            key,
            deps=deps,
            description=description,
            group_name=self.keys.table_group("current", table or USER_MIGRATIONS),
            kinds=kinds,
            owners=self.owners,
            metadata=_relation(schema, table or key.path[-1]) if schema else {},
            tags={"dagster/storage_kind": "iceberg" if self.spark else "duckdb"},
            code_version=CODE_VERSION,
        )
        return spec.with_io_manager_key(self.keys.duckdb_io) if schema else spec

    def _step(
        self, spec: dg.AssetSpec, *subjects: Subject
    ) -> Callable[[Callable[..., Iterator[Result]]], dg.AssetsDefinition]:
        """The step that materializes the asset, or executes its checks alone."""
        return dg.multi_asset(
            name=step_name(spec.key),
            specs=[spec],
            check_specs=[one for subject in subjects for one in check_specs(subject, spec.key)],
            can_subset=True,
            required_resource_keys={self.keys.lake, self.keys.duckdb},
        )

    def _all_dumps(self, table: str) -> dg.AssetDep:
        return dg.AssetDep(self.keys.raw(table), partition_mapping=dg.AllPartitionMapping())


def _relation(schema: str, table: str) -> dict[str, str]:
    """For the IO manager, and for people."""
    return {"schema": schema, "table": table, "dagster/table_name": f"{schema}.{table}"}


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
