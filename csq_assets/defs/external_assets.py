"""`csq/sync_reports` and `csq/manifests`: delivered by Contentsquare, recorded and checked here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from csq_assets.dataconnect.catalog import Catalog, SeenReport
from csq_assets.dataconnect.checks import evaluate_export
from csq_assets.dataconnect.export_checks import OVERDUE_AFTER
from csq_assets.defs import descriptions
from csq_assets.defs.check_results import check_specs, evaluations, record_news
from csq_assets.defs.failures import errors_as_failures
from csq_assets.defs.keys import Keys, partition_key
from csq_assets.defs.resources import LakeResource, Resources
from csq_assets.errors import CsqError
from csq_assets.lake.discovery import Discovery, discover
from csq_assets.markdown import plain


def build_external_assets(
    keys: Keys,
    *,
    export_url: str,
    sync_interval: timedelta | None = None,
    owners: Sequence[str] = (),
) -> list[dg.AssetSpec]:
    """The two assets that Contentsquare writes. Reports are late an hour after `sync_interval`."""
    kinds = {"json", "s3"} if export_url.startswith("s3://") else {"json", "file"}
    on_time = (
        dg.FreshnessPolicy.time_window(fail_window=sync_interval + OVERDUE_AFTER)
        if sync_interval
        else None
    )
    described = (
        (keys.sync_reports, [], descriptions.SYNC_REPORTS, on_time),
        (keys.manifests, [keys.sync_reports], descriptions.MANIFESTS, None),
    )
    return [
        dg.AssetSpec(
            key,
            deps=deps,
            description=description,
            group_name=keys.group("export"),
            kinds=kinds,
            owners=owners,
            metadata={"export": export_url},
            freshness_policy=freshness_policy,
        )
        for key, deps, description, freshness_policy in described
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
    _record_delivered(instance, keys, discovery)
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
    return record_news(instance, found)


def _record_delivered(instance: dg.DagsterInstance, keys: Keys, discovery: Discovery) -> None:
    """An observation of each new report. A materialization where the newest report, or the manifests,
    are not those of the last one, also if a pass was killed before it could record them."""
    catalog = discovery.catalog
    for seen in discovery.new_reports:
        observed = dg.AssetObservation(keys.sync_reports, _in_words(seen), _report_metadata(seen))
        instance.report_runless_asset_event(observed)
    delivered: list[dg.AssetMaterialization] = []
    if newest := catalog.newest_report():
        description, metadata = _in_words(newest), _report_metadata(newest)
        delivered.append(dg.AssetMaterialization(keys.sync_reports, description, metadata))
    if dumps := list(catalog.dumps()):
        description = f"{len(dumps)} dumps, the newest is {dumps[-1]}"
        metadata = {"dumps": len(dumps), "newest_dump": dumps[-1], "content": catalog.fingerprint}
        delivered.append(dg.AssetMaterialization(keys.manifests, description, metadata))
    for materialization in delivered:
        last = instance.get_latest_materialization_event(materialization.asset_key)
        recorded = last.asset_materialization if last else None
        if recorded is None or recorded.metadata != materialization.metadata:
            instance.report_runless_asset_event(materialization)


def _in_words(seen: SeenReport) -> str:
    return plain(seen.problem or f"{seen.object.key}: {seen.report.status or 'no status'}")


def _report_metadata(seen: SeenReport) -> dict[str, Any]:
    report = seen.report
    times = {
        "start_time": report.start_time,
        "finish_time": report.finish_time,
        "next_sync_at": report.next_sync_at,
    }
    return {
        "report": seen.object.key,
        "status": report.status or "none",
        **{name: dg.MetadataValue.timestamp(time) for name, time in times.items() if time},
        **({"error": report.error} if report.error else {}),
    }


@contextmanager
def still_checked(
    instance: dg.DagsterInstance, keys: Keys, lake: LakeResource, now: datetime
) -> Iterator[None]:
    """Where the export cannot be read the tick fails, but reports that are overdue are told."""
    try:
        yield
    except CsqError:
        with suppress(CsqError):
            record_export_checks(instance, keys, lake.open().documents.catalog(), now)
        raise
