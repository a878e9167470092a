"""Factory of `csq/raw/<table>`: an asset and a step for each table, partitioned by dump."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from csq_assets.dataconnect.check_registry import Finding
from csq_assets.dataconnect.column_rules import ColumnRules
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.defs import check_results as results
from csq_assets.defs.descriptions import describe_raw
from csq_assets.defs.failures import errors_as_failures
from csq_assets.defs.keys import RAW_TABLE, Keys, dump_ids, partition_key, step_name
from csq_assets.defs.resources import Resources
from csq_assets.lake.locations import Lake
from csq_assets.pipeline.ingest import TableIngest, reevaluate

CODE_VERSION = "1"  # changes when the same files give other rows

Event = dg.Output[TableIngest] | dg.AssetCheckEvaluation


class _Decoded(dg.Output[TableIngest]):
    """A streamed partition. Its data version is the digest of the file, once it is written."""

    @property
    def data_version(self) -> dg.DataVersion | None:
        ingested = self.value.ingested
        return dg.DataVersion(ingested.written.digest) if ingested else None


def build_raw_asset(
    table: str, keys: Keys, rules: ColumnRules, *, owners: Sequence[str] = ()
) -> dg.AssetsDefinition:
    """The decoded dumps of `table`, or the property definitions. `rules` say which columns to drop or
    hash.

    The step yields the partition, which the IO manager decodes and publishes; then what the checks
    found. A check can also be executed alone, without a partition on the newest one.
    """
    key = keys.raw(table)
    has_checks = table != PROPERTY_DEFINITIONS
    spec = dg.AssetSpec(
        key,
        deps=[keys.manifests],
        description=describe_raw(table),
        group_name=keys.table_group("raw", table),
        kinds={"avro", "polars", "parquet"} if has_checks else {"json", "parquet"},
        owners=owners,
        metadata={RAW_TABLE: table},
        tags={"dagster/storage_kind": "parquet"},
        code_version=CODE_VERSION,
        partitions_def=keys.dumps,
    )

    @dg.multi_asset(
        name=step_name(key),
        specs=[spec.with_io_manager_key(keys.lake_io)],
        check_specs=[*results.check_specs("raw", key, keys.dumps)] if has_checks else [],
        can_subset=True,  # so that checks can be executed alone
        partitions_def=keys.dumps,
        required_resource_keys={keys.export, keys.lake},
    )
    def raw(context: dg.AssetExecutionContext) -> Iterator[Event]:
        resources = Resources(context.resources, keys)
        with errors_as_failures():
            lake = resources.lake.open()
            if not context.selected_asset_keys:
                yield from _evaluate(context, key, table, lake)
                return
            (dump_id,) = dump_ids([context.partition_key])
            ingest = TableIngest(
                *resources.lake.manifest(dump_id),
                table,
                resources.export.open(),
                lake,
                lambda: datetime.now(UTC),
                rules,
            )
        if not ingest.is_listed:
            context.log.info(f"dump {dump_id} does not list {table}: nothing to decode")
            return
        yield _Decoded(ingest, output_name=step_name(key))
        yield from _results(context, key, ingest)

    return raw


def _results(
    context: dg.AssetExecutionContext, key: dg.AssetKey, ingest: TableIngest
) -> Iterator[Event]:
    ingested = ingest.ingested
    if ingested is None:
        raise RuntimeError("the IO manager did not write the partition")
    if ingested.next_dump_id is not None:
        yield from _evaluations(context, key, ingested.next_dump_id, ingested.next_findings)
    # The partition's own checks are last: a run that was killed in between is found by their lack.
    yield from _evaluations(context, key, ingest.dump_id, ingested.findings)
    if ingested.not_evaluated is not None:
        with errors_as_failures():
            raise ingested.not_evaluated


def _evaluate(
    context: dg.AssetExecutionContext, key: dg.AssetKey, table: str, lake: Lake
) -> Iterator[dg.AssetCheckEvaluation]:
    """The checks alone: of the run's partition, or of the newest one."""
    if context.has_partition_key:
        dumps = dump_ids([context.partition_key])
    else:
        dumps = lake.store.dumps_of(table)
    selected = {check.name for check in context.selected_asset_check_keys}
    for dump_id in dumps[-1:]:
        findings = reevaluate(lake, table, dump_id)
        chosen = [finding for finding in findings if finding.check in selected]
        yield from _evaluations(context, key, dump_id, chosen)


def _evaluations(
    context: dg.AssetExecutionContext, key: dg.AssetKey, dump_id: int, findings: Iterable[Finding]
) -> Iterator[dg.AssetCheckEvaluation]:
    partition = partition_key(dump_id)
    target = results.newest_materialization(context.instance, key, partition)
    yield from results.evaluations(findings, key, partition, target)
