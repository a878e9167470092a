"""Factory of `csq/raw/*`: one asset for each table, all decoded by one step."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from csq_assets.dataconnect.intake import Work
from csq_assets.dataconnect.tables import PROPERTY_DEFINITIONS
from csq_assets.defs import events
from csq_assets.defs.checks import check_specs
from csq_assets.defs.descriptions import describe_raw
from csq_assets.defs.failures import as_failure, combined_failure
from csq_assets.defs.keys import CSQ_DUMPS, MANIFESTS, dump_ids, raw_key
from csq_assets.defs.resources import ExportResource, LakeResource
from csq_assets.errors import CsqError
from csq_assets.lake.decoding import Decoding, Outcome

RAW_JOB = "csq_raw"
_OP = "csq_decode"
KINDS = {"avro", "polars", "parquet"}


class DecodeConfig(dg.Config):
    """What a run decodes: tables by dump id. Empty: the selected tables of the run's partitions."""

    dumps: dict[str, list[str]] = {}  # noqa: RUF012 - Dagster's Config copies defaults


def decode_config(work: Sequence[Work]) -> dict[str, Any]:
    """The config of a run that decodes this work."""
    dumps = {str(one.dump_id): list(one.tables) for one in work}
    return {"ops": {_OP: {"config": {"dumps": dumps}}}}


def build_raw_assets(
    tables: Sequence[str],
    *,
    owners: Sequence[str] = (),
    on_outcome: Callable[[Outcome], None] = lambda _outcome: None,
) -> dg.AssetsDefinition:
    """The decoded dumps of `tables`, and the property definitions, as one multi-asset.

    The step publishes each partition itself, goes on past what fails, and fails at the end.
    `on_outcome` is told of each as it comes.
    """
    table_of = {raw_key(table): table for table in (*tables, PROPERTY_DEFINITIONS)}

    @dg.multi_asset(
        name=_OP,
        specs=[_spec(key, table, owners) for key, table in table_of.items()],
        check_specs=[
            spec
            for key, table in table_of.items()
            if table != PROPERTY_DEFINITIONS
            for spec in check_specs("raw", key, CSQ_DUMPS)
        ],
        can_subset=True,
        partitions_def=CSQ_DUMPS,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def csq_decode(
        context: dg.AssetExecutionContext,
        config: DecodeConfig,
        export: ExportResource,
        lake: LakeResource,
    ) -> Iterator[events.Event]:
        errors: list[str] = []
        try:
            decoding = Decoding(export.open(), lake.open(), now=lambda: datetime.now(UTC))
            for dump_id, table in _work(context, config, table_of):
                outcome = decoding.decode(dump_id, table)
                if outcome is None:
                    context.log.info(f"dump {dump_id} does not list {table}: nothing to decode")
                    continue
                on_outcome(outcome)
                yield from events.outcome_events(context, outcome)
                errors += [str(one) for one in (outcome.error, outcome.unjudged) if one]
            for dump_id, table in _judging(context, decoding, table_of):
                yield from events.judged_events(context, table, decoding.judge(dump_id, table))
        except CsqError as error:
            raise as_failure(error) from None
        if errors:
            raise combined_failure("partitions", errors)

    return csq_decode


def _spec(key: dg.AssetKey, table: str, owners: Sequence[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        deps=[MANIFESTS],
        description=describe_raw(table),
        group_name="raw",
        kinds={"json", "parquet"} if table == PROPERTY_DEFINITIONS else KINDS,
        owners=owners,
        metadata={"table": table},
        skippable=True,
        partitions_def=CSQ_DUMPS,
    )


def _work(
    context: dg.AssetExecutionContext, config: DecodeConfig, table_of: Mapping[dg.AssetKey, str]
) -> Iterator[tuple[int, str]]:
    """Dump by dump, lowest first; the tables of each in the order of the definitions."""
    if config.dumps:
        for dump_id in sorted(map(int, config.dumps)):
            yield from ((dump_id, table) for table in config.dumps[str(dump_id)])
    elif context.selected_asset_keys:
        for dump_id in dump_ids(context.partition_keys):
            for key, table in table_of.items():
                if key in context.selected_asset_keys:
                    yield dump_id, table


def _judging(
    context: dg.AssetExecutionContext, decoding: Decoding, table_of: Mapping[dg.AssetKey, str]
) -> Iterator[tuple[int, str]]:
    """Where a run executes checks alone: the run's partitions, or the newest, of those assets."""
    if context.selected_asset_keys:
        return
    assets = {check.asset_key for check in context.selected_asset_check_keys}
    for key, table in table_of.items():
        if key in assets:
            contents = sorted(decoding.contents(table))
            if context.has_partition_key or context.has_partition_key_range:
                asked = dump_ids(context.partition_keys)
                contents = [dump_id for dump_id in contents if dump_id in asked]
            else:
                contents = contents[-1:]
            yield from ((dump_id, table) for dump_id in contents)
