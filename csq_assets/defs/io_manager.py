"""The IO manager that gives partitions of the lake as Polars frames."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from csq_assets.defs.keys import dump_ids
from csq_assets.defs.resources import LakeResource


class LakeIOManager(dg.ConfigurableIOManager):
    """Partitions as `pl.DataFrame`, or `pl.LazyFrame` where that is what the input's type says.

    An asset's table is named by its metadata entry `table`, or else by the last part of its key.
    """

    lake: LakeResource

    def load_input(self, context: dg.InputContext) -> pl.DataFrame | pl.LazyFrame:
        """The partition. Raises StorageError where it is not in the lake."""
        if not context.has_asset_partitions:
            raise ValueError(
                f"{context.asset_key.to_user_string()} is partitioned by dump: "
                'name one, as in load_asset_value(..., partition_key="1234")'
            )
        upstream = context.upstream_output
        table = _table(context.asset_key, upstream.definition_metadata if upstream else None)
        frame = self.lake.open().store.scan(table, *dump_ids([context.asset_partition_key]))
        return frame if context.dagster_type.typing_type is pl.LazyFrame else frame.collect()

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        """Refuse: raw partitions are published by their own step, whole, and by nothing else."""
        raise TypeError(
            f"{context.asset_key.to_user_string()}: the lake takes decoded dumps alone; "
            "give this asset an IO manager of its own"
        )


def _table(key: dg.AssetKey, metadata: Mapping[str, Any] | None) -> str:
    return str((metadata or {}).get("table", key.path[-1]))
