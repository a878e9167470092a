"""`csq/sync_reports` and `csq/manifests`: what others deliver, observed and checked here."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from csq_assets.dataconnect.catalog import SeenManifest, SeenReport
from csq_assets.dataconnect.checks import judge_export
from csq_assets.defs import descriptions
from csq_assets.defs.checks import check_results, check_specs, evaluations
from csq_assets.defs.failures import as_failure
from csq_assets.defs.keys import MANIFESTS, SYNC_REPORTS
from csq_assets.defs.resources import ExportResource, LakeResource
from csq_assets.errors import CsqError
from csq_assets.lake.discovery import Discovery, discover

_EVALUATED = (
    AssetCheckExecutionRecordStatus.SUCCEEDED,
    AssetCheckExecutionRecordStatus.FAILED,
)

Event = dg.AssetObservation | dg.AssetCheckEvaluation


def build_external_assets(
    *, on_s3: bool, export_url: str, owners: Sequence[str] = ()
) -> list[dg.AssetSpec]:
    """The two assets that Contentsquare keeps."""
    kinds = {"json", "s3"} if on_s3 else {"json", "file"}
    described = ((SYNC_REPORTS, [], descriptions.SYNC_REPORTS),)
    described += ((MANIFESTS, [SYNC_REPORTS], descriptions.MANIFESTS),)
    return [
        dg.AssetSpec(
            key,
            deps=deps,
            description=description,
            group_name="export",
            kinds=kinds,
            owners=owners,
            metadata={"export": export_url},
        )
        for key, deps, description in described
    ]


def build_external_checks() -> dg.AssetChecksDefinition:
    """The checks on both, for whoever executes them in the UI."""

    @dg.multi_asset_check(
        name="csq_export_checks",
        specs=[
            *check_specs("sync_reports", SYNC_REPORTS),
            *check_specs("manifests", MANIFESTS),
        ],
        can_subset=True,
    )
    def csq_export_checks(
        context: dg.AssetCheckExecutionContext, export: ExportResource, lake: LakeResource
    ) -> Iterator[dg.AssetCheckResult]:
        try:
            discovery = discover(export.open(), lake.open().documents)
        except CsqError as error:
            raise as_failure(error) from None
        for name, finding in judge_export(discovery.catalog, datetime.now(UTC)):
            asset = dg.AssetKey.from_user_string(name)
            if dg.AssetCheckKey(asset, finding.check) in context.selected_asset_check_keys:
                yield from check_results([finding], asset)

    return csq_export_checks


def discovery_events(
    instance: dg.DagsterInstance, discovery: Discovery, now: datetime
) -> list[Event]:
    """What is to be recorded: new reports and manifests, and evaluations that say something new."""
    events: list[Event] = [_report_observation(seen) for seen in discovery.new_reports]
    if discovery.new_manifests:
        events.append(_manifests_observation(discovery.new_manifests))
    findings = list(judge_export(discovery.catalog, now))
    checks = [
        dg.AssetCheckKey(dg.AssetKey.from_user_string(asset), finding.check)
        for asset, finding in findings
    ]
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(checks)
    for check, (_, finding) in zip(checks, findings, strict=True):
        record = latest.get(check)
        known = record.evaluation if record and record.status in _EVALUATED else None
        (new,) = evaluations([finding], check.asset_key)
        if known is None or (known.passed, known.severity, known.description) != (
            new.passed,
            new.severity,
            new.description,
        ):
            events.append(new)
    return events


def _report_observation(seen: SeenReport) -> dg.AssetObservation:
    report = seen.report
    times = {
        "start_time": report.start_time,
        "finish_time": report.finish_time,
        "next_sync_at": report.next_sync_at,
    }
    return dg.AssetObservation(
        SYNC_REPORTS,
        description=seen.problem or f"{seen.object.key}: {report.status or 'no status'}",
        metadata={
            "report": seen.object.key,
            "status": report.status or "none",
            **{name: dg.MetadataValue.timestamp(time) for name, time in times.items() if time},
            **({"error": report.error} if report.error else {}),
        },
    )


def _manifests_observation(seen: Sequence[SeenManifest]) -> dg.AssetObservation:
    dumps = ", ".join(str(manifest.dump_id) for manifest in seen)
    return dg.AssetObservation(
        MANIFESTS,
        description=f"new or changed: dump {dumps}",
        metadata={
            "dumps": len(seen),
            "highest_dump_id": max(manifest.dump_id for manifest in seen),
        },
    )
