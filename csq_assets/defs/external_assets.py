"""`csq/sync_reports` and `csq/manifests`: delivered by Contentsquare, observed and checked here."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from csq_assets.dataconnect.catalog import Catalog, SeenManifest, SeenReport
from csq_assets.dataconnect.checks import evaluate_export
from csq_assets.defs import descriptions
from csq_assets.defs.check_results import check_specs, evaluations
from csq_assets.defs.failures import errors_as_failures
from csq_assets.defs.keys import Keys, partition_key
from csq_assets.defs.resources import Resources
from csq_assets.lake.discovery import Discovery, discover

_EVALUATED = (
    AssetCheckExecutionRecordStatus.SUCCEEDED,
    AssetCheckExecutionRecordStatus.FAILED,
)


def build_external_assets(
    keys: Keys, *, on_s3: bool, export_url: str, owners: Sequence[str] = ()
) -> list[dg.AssetSpec]:
    """The two assets that Contentsquare writes."""
    kinds = {"json", "s3"} if on_s3 else {"json", "file"}
    described = ((keys.sync_reports, [], descriptions.SYNC_REPORTS),)
    described += ((keys.manifests, [keys.sync_reports], descriptions.MANIFESTS),)
    return [
        dg.AssetSpec(
            key,
            deps=deps,
            description=description,
            group_name=keys.group("export"),
            kinds=kinds,
            owners=owners,
            metadata={"export": export_url},
        )
        for key, deps, description in described
    ]


def build_external_checks(keys: Keys) -> dg.AssetChecksDefinition:
    """The checks on both, to be executed from the UI."""

    @dg.multi_asset_check(
        name=keys.export_checks,
        specs=[
            *check_specs("sync_reports", keys.sync_reports),
            *check_specs("manifests", keys.manifests),
        ],
        can_subset=True,
        required_resource_keys={keys.export, keys.lake},
    )
    def export_checks(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckEvaluation]:
        resources = Resources(context.resources, keys)
        with errors_as_failures():
            discovery = discover(resources.export.open(), resources.lake.open().documents)
        for name, finding in evaluate_export(discovery.catalog, datetime.now(UTC)):
            for evaluation in evaluations([finding], keys.asset(name)):
                if evaluation.asset_check_key in context.selected_asset_check_keys:
                    yield evaluation

    return export_checks


def record_discovery(
    instance: dg.DagsterInstance, keys: Keys, discovery: Discovery, now: datetime
) -> list[dg.AssetCheckEvaluation]:
    """Record new partitions, reports and manifests, and the checks on the export that say something
    new; gives those."""
    partitions = str(keys.dumps.name)
    known = set(instance.get_dynamic_partitions(partitions))
    new = [key for key in map(partition_key, discovery.catalog.dumps()) if key not in known]
    if new:
        instance.add_dynamic_partitions(partitions, new)
    for seen in discovery.new_reports:
        instance.report_runless_asset_event(_report_observation(keys.sync_reports, seen))
    if discovery.new_manifests:
        instance.report_runless_asset_event(
            _manifests_observation(keys.manifests, discovery.new_manifests)
        )
    return record_export_checks(instance, keys, discovery.catalog, now)


def record_export_checks(
    instance: dg.DagsterInstance, keys: Keys, catalog: Catalog, now: datetime
) -> list[dg.AssetCheckEvaluation]:
    """Evaluate the checks on the export, and record those that say something new; gives those."""
    found = [
        evaluation
        for asset, finding in evaluate_export(catalog, now)
        for evaluation in evaluations([finding], keys.asset(asset))
    ]
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [evaluation.asset_check_key for evaluation in found]
    )
    new = [
        evaluation
        for evaluation in found
        if _said(evaluation) != _last_said(latest.get(evaluation.asset_check_key))
    ]
    for evaluation in new:
        instance.report_runless_asset_event(evaluation)
    return new


def _last_said(record: AssetCheckExecutionRecord | None) -> tuple[object, ...] | None:
    evaluated = record.evaluation if record and record.status in _EVALUATED else None
    return _said(evaluated) if evaluated else None


def _said(evaluation: dg.AssetCheckEvaluation) -> tuple[object, ...]:
    return evaluation.passed, evaluation.severity, evaluation.description


def _report_observation(key: dg.AssetKey, seen: SeenReport) -> dg.AssetObservation:
    report = seen.report
    times = {
        "start_time": report.start_time,
        "finish_time": report.finish_time,
        "next_sync_at": report.next_sync_at,
    }
    return dg.AssetObservation(
        key,
        description=seen.problem or f"{seen.object.key}: {report.status or 'no status'}",
        metadata={
            "report": seen.object.key,
            "status": report.status or "none",
            **{name: dg.MetadataValue.timestamp(time) for name, time in times.items() if time},
            **({"error": report.error} if report.error else {}),
        },
    )


def _manifests_observation(key: dg.AssetKey, seen: Sequence[SeenManifest]) -> dg.AssetObservation:
    dumps = ", ".join(str(manifest.dump_id) for manifest in seen)
    return dg.AssetObservation(
        key,
        description=f"new or changed: dump {dumps}",
        metadata={
            "dumps": len(seen),
            "highest_dump_id": max(manifest.dump_id for manifest in seen),
        },
    )
