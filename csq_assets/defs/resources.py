"""The export, the lake and the warehouse as Dagster resources.

S3 clients are made by dagster-aws's `S3Resource`, connections to DuckDB by dagster-duckdb's
`DuckDBResource`: `build_definitions` takes one of your own for each.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource
from dagster_duckdb import DuckDBResource
from duckdb import DuckDBPyConnection
from pydantic import PrivateAttr

from csq_assets.aws import open_s3_client
from csq_assets.dataconnect.manifest import Manifest
from csq_assets.defs.keys import Keys
from csq_assets.errors import StorageError
from csq_assets.lake.export import Export
from csq_assets.lake.locations import Lake, open_export, open_lake
from csq_assets.pipeline.effective_dumps import EffectiveDumps
from csq_assets.warehouse.compaction import compact_if_due
from csq_assets.warehouse.connection import open_warehouse, writing
from csq_assets.warehouse.duckdb_errors import explained


class ExportResource(dg.ConfigurableResource):
    """Where Contentsquare delivers. Nothing is ever written there."""

    url: str
    manifest_prefix: str
    request_payer: str | None = None
    s3: dg.ResourceDependency[S3Resource]

    def open(self) -> Export:
        return open_export(
            self.url,
            self.manifest_prefix,
            lambda: open_s3_client(self.s3),
            request_payer=self.request_payer,
        )


class LakeResource(dg.ConfigurableResource):
    """Where decoded dumps are kept. What several steps of a run need is read once."""

    url: str
    s3: dg.ResourceDependency[S3Resource]
    _lake: Lake | None = PrivateAttr(default=None)
    _manifests: dict[int, tuple[Manifest, str]] = PrivateAttr(default_factory=dict)
    _effective: EffectiveDumps | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        self._lake, self._manifests, self._effective = None, {}, None

    def open(self) -> Lake:
        if self._lake is None:
            self._lake = open_lake(self.url, lambda: open_s3_client(self.s3))
        return self._lake

    def manifest(self, dump_id: int) -> tuple[Manifest, str]:
        """The newest manifest of a dump, with its SHA-256. Raises StorageError if there is none."""
        if dump_id not in self._manifests:
            self._manifests[dump_id] = self.open().documents.manifest(dump_id)
        return self._manifests[dump_id]

    def effective_dumps(self, skips: Callable[[str], bool]) -> EffectiveDumps:
        """The dumps that make the current tables, as they were when the run first asked."""
        if self._effective is None:
            lake = self.open()
            self._effective = EffectiveDumps(lake, lake.state(skips))
        return self._effective


class WarehouseResource(DuckDBResource):
    """The DuckDB file that analysts query.

    A connection waits a minute for the file, and then says who holds it. Within a run the steps share
    one; after the last, the file gives back what it has freed. Data that exceeds `memory_limit` spills
    to disk.
    """

    memory_limit: str
    _run: ExitStack | None = PrivateAttr(default=None)
    _connection: DuckDBPyConnection | None = PrivateAttr(default=None)
    _ended_well: bool = PrivateAttr(default=False)  # the last step that used it

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["WarehouseResource"]:
        with ExitStack() as self._run:
            yield self
        self._run = self._connection = None
        if self._ended_well:  # a run that is canceled is to end soon
            try:
                compact_if_due(self.database, memory_limit=self.memory_limit)
            except StorageError as error:  # the tables are right, and the file as it was
                if context.log is not None:
                    context.log.warning(str(error))

    def release(self) -> None:
        """Close the connection that the steps of the run share, so that another process may have the
        file. The next step opens it again."""
        if self._run is not None:
            self._run.close()
        self._connection = None

    @contextmanager
    def get_connection(self) -> Iterator[DuckDBPyConnection]:
        with ExitStack() as step:
            if self._connection is None:
                opened = open_warehouse(self.database, memory_limit=self.memory_limit)
                connection = (self._run or step).enter_context(opened)
                self._connection = connection if self._run else None
            else:
                connection = self._connection
            self._ended_well = False
            with explained(self.database):  # it stays open behind the step
                yield connection
            self._ended_well = True


@dataclass(frozen=True, slots=True)
class Resources:
    """Those of one export, among the resources that a step or a tick was `given`."""

    given: Any
    keys: Keys

    @property
    def export(self) -> ExportResource:
        return getattr(self.given, self.keys.export)

    @property
    def lake(self) -> LakeResource:
        return getattr(self.given, self.keys.lake)

    @property
    def duckdb(self) -> DuckDBResource:
        return getattr(self.given, self.keys.duckdb)


@contextmanager
def connect(duckdb: DuckDBResource) -> Iterator[DuckDBPyConnection]:
    """A connection with the schemas of csq_assets, of any DuckDBResource."""
    with duckdb.get_connection() as connection:
        if isinstance(duckdb, WarehouseResource):
            yield connection
        else:
            with writing(connection):
                yield connection
