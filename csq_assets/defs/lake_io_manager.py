"""`csq_lake_io`: Polars frames as Parquet files in the lake, written whole and read lazily.

dagster-polars does not work with Polars 2 (tried with 0.27.12), and none of its formats takes a table
that is written while it is decoded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any
from urllib.parse import quote

import dagster as dg
import polars as pl

from csq_assets.defs.failures import errors_as_failures
from csq_assets.defs.keys import RAW_TABLE, dump_ids
from csq_assets.defs.metadata import ingest_metadata
from csq_assets.defs.resources import LakeResource
from csq_assets.errors import UsageError
from csq_assets.interruption import interruptible
from csq_assets.lake.parquet_files import reading
from csq_assets.pipeline.ingest import TableIngest
from csq_assets.pipeline.progress import tell_watcher

LOGGED_AFTER_SECONDS = 3


class LakeIOManager(dg.ConfigurableIOManager):
    """Writes and reads partitions.

    A raw asset gives its streamed partition, a `TableIngest`. An asset of your own gives a
    `pl.DataFrame` or a `pl.LazyFrame`, which becomes `assets/<asset key>/…/data.parquet`.

    An input is a `pl.DataFrame`, or what its type says: `pl.LazyFrame`; or, for several partitions,
    a dictionary of either by partition key. Several partitions as one frame are concatenated, lowest
    dump first; columns that one of them lacks are null. Dumps that do not list the table are left out.
    Outside of runs, as in `load_asset_value`, no partition key means all of them.
    The metadata entry `columns` of an input names the columns to read.
    """

    lake: dg.ResourceDependency[LakeResource]

    def handle_output(
        self, context: dg.OutputContext, obj: TableIngest | pl.DataFrame | pl.LazyFrame
    ) -> None:
        """Publish the partition, whole or not at all. Raises dagster.Failure."""
        with errors_as_failures():
            store = self.lake.open().store
            if isinstance(obj, TableIngest):
                ingested = interruptible(
                    lambda: obj.write(lambda rows: store.write(obj.table, obj.dump_id, rows)),
                    meanwhile=_Teller(context, obj).tell,
                )
                context.add_output_metadata(ingest_metadata(obj, ingested))
                return
            if RAW_TABLE in (context.definition_metadata or {}):
                raise UsageError(f"{context.asset_key.to_user_string()} takes decoded dumps only")
            if not isinstance(obj, pl.DataFrame | pl.LazyFrame):
                raise UsageError(
                    f"{context.asset_key.to_user_string()} is a {type(obj).__name__}",
                    remedy="Return a Polars DataFrame or LazyFrame, or choose another IO manager.",
                )
            partition = context.partition_key if context.has_partition_key else None
            written, rows = store.write_frame(_own_key(context.asset_key, partition), obj.lazy())
            count = "dagster/partition_row_count" if partition else "dagster/row_count"
            context.add_output_metadata(
                {
                    count: rows,
                    "dagster/uri": written.location,
                    "size_bytes": written.size_bytes,
                }
            )

    def load_input(
        self, context: dg.InputContext
    ) -> pl.DataFrame | pl.LazyFrame | Mapping[str, pl.DataFrame | pl.LazyFrame]:
        """The partitions of the input. Raises dagster.Failure where one is missing, or cannot be read;
        of a LazyFrame, that is found where it is collected."""
        wanted = context.dagster_type.typing_type
        is_mapping = getattr(wanted, "__origin__", wanted) in (dict, Mapping)
        is_lazy = pl.LazyFrame in (wanted, *getattr(wanted, "__args__", ()))
        with errors_as_failures():
            stored = self._stored(context)
            frames: dict[str, Any] = {
                key: one.rows if is_lazy else one.collect() for key, one in stored.items()
            }
            if is_mapping:
                return frames
            if len(frames) == 1:
                return next(iter(frames.values()))
            with reading(context.asset_key.to_user_string(), "Give its partitions the same types."):
                return pl.concat(frames.values(), how="diagonal")

    def _stored(self, context: dg.InputContext) -> dict[str, "_Stored"]:
        upstream = context.upstream_output
        table = (upstream.definition_metadata or {}).get(RAW_TABLE) if upstream else None
        columns = (context.definition_metadata or {}).get("columns")
        store = self.lake.open().store
        if table is None:
            keys = context.asset_partition_keys if context.has_asset_partitions else [None]
            own = {key or "": _own_key(context.asset_key, key) for key in keys}
            stored = {
                key: _Stored(f"{store.objects.url}/{place}", store.scan_object(place))
                for key, place in own.items()
            }
        else:
            stored = {
                str(dump_id): _Stored(store.location(table, dump_id), store.scan(table, dump_id))
                for dump_id in self._dumps_to_load(context, str(table))
            }
        if not columns:
            return stored
        return {key: replace(one, rows=one.rows.select(columns)) for key, one in stored.items()}

    def _dumps_to_load(self, context: dg.InputContext, table: str) -> list[int]:
        """The partition that is asked for; of several, or of all, those whose dump lists the table."""
        asked = dump_ids(context.asset_partition_keys) if context.has_asset_partitions else None
        if asked is not None and len(asked) == 1:
            return asked
        records = self.lake.open().ledger.records()
        listed = [
            dump_id
            for dump_id in (records if asked is None else asked)
            if dump_id in records and records[dump_id].table(table) is not None
        ]
        if not listed:
            raise UsageError(
                f"no dump of {context.asset_key.to_user_string()} lists the table",
                remedy="Run csq sync, or choose other partitions.",
            )
        return listed


@dataclass(frozen=True, slots=True, eq=False)
class _Stored:
    """A Parquet file of the lake, and what of it is wanted."""

    location: str
    rows: pl.LazyFrame

    def collect(self) -> pl.DataFrame:
        """The rows. Raises StorageError where the file is damaged, or lacks a column."""
        with reading(self.location, "Name columns that it has; if it is damaged, make it again."):
            return self.rows.collect()


class _Teller:
    """Tells how far a table is: whoever watches at once, the run's log every few seconds."""

    def __init__(self, context: dg.OutputContext, ingest: TableIngest) -> None:
        self._log = context.log
        self._ingest = ingest
        self._logged = monotonic()

    def tell(self) -> None:
        if (progress := self._ingest.progress) is None:
            return
        tell_watcher(progress)
        if monotonic() - self._logged >= LOGGED_AFTER_SECONDS:
            self._log.info(f"decoding: {progress}")
            self._logged = monotonic()


def _own_key(key: dg.AssetKey, partition: str | None) -> str:
    """Where the asset of a user is in the lake."""
    parts = [*key.path, *([] if partition is None else [f"partition={partition}"])]
    return "/".join(["assets", *(quote(part, safe=" +@=") for part in parts), "data.parquet"])
