"""The export and the lake as Dagster resources."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster_duckdb import DuckDBResource
from duckdb import DuckDBPyConnection

from csq_assets.aws import s3_client
from csq_assets.lake.export import Export
from csq_assets.lake.locations import Lake, open_export, open_lake
from csq_assets.warehouse.connection import open_warehouse


class ExportResource(dg.ConfigurableResource):
    """Where Contentsquare delivers. Nothing is ever written there."""

    url: str
    manifest_prefix: str
    request_payer: str | None = None

    def open(self) -> Export:
        return open_export(
            self.url, self.manifest_prefix, s3_client, request_payer=self.request_payer
        )


class LakeResource(dg.ConfigurableResource):
    """Where decoded dumps are kept, and what is remembered of them."""

    url: str

    def open(self) -> Lake:
        return open_lake(self.url, s3_client)


class WarehouseResource(DuckDBResource):
    """The DuckDB file that analysts query. A connection waits a minute for the file, and says who
    holds it; what does not fit into `memory_limit` spills to disk."""

    memory_limit: str
    snapshot_path: str | None = None

    @contextmanager
    def get_connection(self) -> Iterator[DuckDBPyConnection]:
        with open_warehouse(self.database, memory_limit=self.memory_limit) as connection:
            yield connection
