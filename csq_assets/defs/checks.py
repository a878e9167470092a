"""Finding -> AssetCheckEvaluation; specs from the registry. What a check says stands in the domain."""

import warnings
from collections.abc import Iterable, Iterator

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from csq_assets.dataconnect.checks import Finding, checks_on
from csq_assets.dataconnect.findings import Subject


def check_specs(
    subject: Subject,
    asset: dg.AssetKey,
    partitions_def: dg.PartitionsDefinition | None = None,
) -> Iterator[dg.AssetCheckSpec]:
    """The registry's checks on an asset, as Dagster declares them."""
    with warnings.catch_warnings():
        # Partitioned checks are in preview since 1.13.0, and tell so at each construction.
        warnings.filterwarnings(
            "ignore",
            category=dg.PreviewWarning,
            message="Specifying a partitions_def on an AssetCheckSpec",
        )
        for check in checks_on(subject):
            yield dg.AssetCheckSpec(
                check.name,
                asset=asset,
                description=check.description,
                partitions_def=partitions_def,
            )


def evaluations(
    findings: Iterable[Finding],
    asset: dg.AssetKey,
    partition: str | None = None,
    target: AssetCheckEvaluationTargetMaterializationData | None = None,
) -> Iterator[dg.AssetCheckEvaluation]:
    """The findings as Dagster records them."""
    for finding in findings:
        yield dg.AssetCheckEvaluation(
            asset_key=asset,
            check_name=finding.check,
            passed=finding.passed,
            severity=dg.AssetCheckSeverity(finding.severity.value),
            description=finding.description,
            partition=partition,
            target_materialization_data=target,
        )


def check_results(findings: Iterable[Finding], asset: dg.AssetKey) -> list[dg.AssetCheckResult]:
    """The findings as a step gives them back with its asset."""
    return [
        dg.AssetCheckResult(
            asset_key=asset,
            check_name=finding.check,
            passed=finding.passed,
            severity=dg.AssetCheckSeverity(finding.severity.value),
            description=finding.description,
        )
        for finding in findings
    ]


def newest_materialization(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """What a check of the partition judges. Without it the UI shows no status by partition."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset, asset_partitions=[partition]), limit=1
    ).records
    if not found:
        return None
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=found[0].storage_id, run_id=found[0].run_id, timestamp=found[0].timestamp
    )
