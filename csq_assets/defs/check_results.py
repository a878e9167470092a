"""Finding -> Dagster's check results; check specs from the registry."""

import warnings
from collections.abc import Iterable, Iterator, Sequence

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

from csq_assets.dataconnect.check_registry import Finding, Measure, Subject, Table
from csq_assets.dataconnect.checks import REGISTRY, checks_on
from csq_assets.markdown import plain

_EVALUATED = (
    AssetCheckExecutionRecordStatus.SUCCEEDED,
    AssetCheckExecutionRecordStatus.FAILED,
)


def check_specs(
    subject: Subject,
    asset: dg.AssetKey,
    partitions_def: dg.PartitionsDefinition | None = None,
) -> Iterator[dg.AssetCheckSpec]:
    """The registry's checks on an asset, as Dagster declares them."""
    with warnings.catch_warnings():
        # Partitioned checks are in preview since 1.13.0; each construction warns.
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
    """The findings as events. `target` is what was evaluated, see `newest_materialization`.

    A step yields these rather than AssetCheckResults, of which each is an output with events of its
    own and looks for its materialization: that takes longer than decoding a small table.
    """
    for finding in findings:
        yield dg.AssetCheckEvaluation(
            asset_key=asset,
            check_name=finding.check,
            passed=finding.passed,
            severity=dg.AssetCheckSeverity(finding.severity.value),
            description=plain(finding.description),
            partition=partition,
            metadata={**_metadata(finding), **({} if finding.passed else _advice(finding))},
            target_materialization_data=target,
        )


def newest_materialization(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partition: str | None = None
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """The newest materialization of the asset, or of the partition: what its checks evaluate. Without
    it the UI has no status by partition."""
    partitions = None if partition is None else [partition]
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset, asset_partitions=partitions), limit=1
    ).records
    return (
        AssetCheckEvaluationTargetMaterializationData(
            storage_id=found[0].storage_id, run_id=found[0].run_id, timestamp=found[0].timestamp
        )
        if found
        else None
    )


def record_news(
    instance: dg.DagsterInstance, found: Sequence[dg.AssetCheckEvaluation]
) -> list[dg.AssetCheckEvaluation]:
    """Record those that say something else than the newest evaluation of their check; gives them."""
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(
        [evaluation.asset_check_key for evaluation in found]
    )
    new = [one for one in found if _said(one) != _last_said(latest.get(one.asset_check_key))]
    for evaluation in new:
        instance.report_runless_asset_event(evaluation)
    return new


def _last_said(record: AssetCheckExecutionRecord | None) -> tuple[object, ...] | None:
    evaluated = record.evaluation if record and record.status in _EVALUATED else None
    return _said(evaluated) if evaluated else None


def _said(evaluation: dg.AssetCheckEvaluation) -> tuple[object, ...]:
    return evaluation.passed, evaluation.severity, evaluation.description


def _metadata(finding: Finding) -> dict[str, dg.MetadataValue]:
    return {name: _value(measure) for name, measure in finding.metadata.items()}


def _advice(finding: Finding) -> dict[str, dg.MetadataValue]:
    """What to do about a failure, below its tables."""
    tables = [measure for measure in finding.metadata.values() if isinstance(measure, Table)]
    texts = [*map(_markdown, tables), REGISTRY[finding.check].remedy]
    return {"what_to_do": dg.MetadataValue.md("\n\n".join(texts))}


def _markdown(table: Table) -> str:
    rows = (table.columns, ("---",) * len(table.columns), *table.rows)
    return "\n".join(f"| {' | '.join(map(plain, row))} |" for row in rows)


def _value(measure: Measure) -> dg.MetadataValue:
    if isinstance(measure, int):
        return dg.MetadataValue.int(measure)
    if not isinstance(measure, Table):
        return dg.MetadataValue.json(list(measure))
    schema = dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in measure.columns])
    records = [dg.TableRecord(dict(zip(measure.columns, row, strict=True))) for row in measure.rows]
    return dg.MetadataValue.table(records, schema=schema)
