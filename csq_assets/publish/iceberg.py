"""Published tables as Iceberg: one snapshot for each publication, tagged with its dump.

The data files are written by DuckDB and put in place by the store of objects; pyiceberg writes the
metadata and commits. The summary of the snapshot says what the table holds. A snapshot by somebody else
has none, unless it only rearranged files: then everything is replaced at the next publication.
"""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table, Transaction
from pyiceberg.table.snapshots import Operation, Snapshot

from csq_assets.errors import SettingsError
from csq_assets.lake.objects import ObjectStore
from csq_assets.publish import iceberg_history as history
from csq_assets.publish.iceberg_errors import explained
from csq_assets.publish.iceberg_files import describe_file, live_files, named_files
from csq_assets.publish.iceberg_schema import (
    evolve,
    field_ids,
    partition_spec,
    published_columns,
    schema_of,
    types_of,
)
from csq_assets.publish.target import (
    ORPHANED_AFTER,
    Contents,
    Standing,
    Version,
    Written,
    publish_files,
    remove_files,
)
from csq_assets.warehouse.bucket_sql import NO_USER

_TABLE, _DUMP, _BUCKETS = "csq.table", "csq.dump", "csq.buckets"
_PROPERTIES = {
    "format-version": "2",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}


class IcebergTarget:
    """Tables of one namespace of a catalog, with their files below a directory or a prefix."""

    def __init__(self, catalog: Catalog, namespace: str, objects: ObjectStore) -> None:
        self._catalog = catalog
        self._namespace = namespace
        self._objects = objects

    def columns(self, columns: Mapping[str, str]) -> dict[str, str]:
        return published_columns(columns)

    def read(self, name: str) -> Version | None:
        with self._explained(name):
            table = self.load(name)
            summary = _own_summary(table) if table else None
            return _version(table, summary) if table and summary else None

    def can_keep(self, known: Standing, wanted: Standing) -> bool:
        """Columns of files go by numbers; only the partitions must be as they were."""
        return ("user_id" in known.columns) == ("user_id" in wanted.columns)

    def write(self, name: str, contents: Contents) -> Written:
        with self._explained(name):
            table = self._open(name, contents)
            with self._objects.staging() as folder:
                transaction = table.transaction()
                evolve(transaction, contents.standing.columns)
                ids = field_ids(transaction.table_metadata.schema())
                added = self._add(transaction, name, contents.stage(folder / "buckets", ids))
                replaces = None if contents.is_new else contents.changed
                summary = _summary_of(contents.standing)
                self._commit(transaction, summary, added, replaces)
            self._sweep(name, table, before=datetime.now(UTC) - ORPHANED_AFTER)
            return Written(
                _version(table, summary),
                files=len(added),
                bytes_written=sum(file.file_size_in_bytes for file in added),
            )

    def purge(self, name: str) -> Version:
        with self._explained(name):
            table = self._catalog.load_table((self._namespace, name))
            summary = _own_summary(table) or {}
            transaction = table.transaction()
            # Once more, without files: manifests of what the snapshot before deleted hold values, too.
            own = {key: summary[key] for key in (_TABLE, _DUMP, _BUCKETS) if key in summary}
            with transaction.update_snapshot(snapshot_properties=own).fast_append() as snapshot:
                pass
            history.forget(transaction, keep=snapshot.snapshot_id)
            history.tag(transaction, snapshot.snapshot_id, own.get(_DUMP))
            table = transaction.commit_transaction()
            self._sweep(name, table, before=None)
            return _version(table, own)

    def remove(self, name: str) -> None:
        with self._explained(name):
            if self.load(name) is not None:
                self._catalog.drop_table((self._namespace, name))
            remove_files(self._objects, f"{name}/", (), before=None)

    def load(self, name: str) -> Table | None:
        """The table; None where there is none. Raises SettingsError where it is somebody else's."""
        try:
            table = self._catalog.load_table((self._namespace, name))
        except (NoSuchTableError, NoSuchNamespaceError):
            return None
        if _TABLE not in table.properties or table.location() != self._location(name):
            raise SettingsError(
                f"the catalog has another table {self._namespace}.{name}, at {table.location()}",
                where={"setting": "CSQ_PUBLISH_URL"},
                remedy="Drop or rename it in the catalog, or correct CSQ_PUBLISH_URL.",
            )
        return table

    def _open(self, name: str, contents: Contents) -> Table:
        """The table, made where there is none, or where another column decides on its partitions."""
        columns = contents.standing.columns
        table = self.load(name)
        if table is not None and bool(table.spec().fields) != bool(partition_spec(columns).fields):
            self._catalog.drop_table((self._namespace, name))
            table = None
        if table is not None:
            return table
        self._catalog.create_namespace_if_not_exists(self._namespace)
        return self._catalog.create_table(
            (self._namespace, name),
            schema_of(columns),
            location=self._location(name),
            partition_spec=partition_spec(columns),
            properties={**_PROPERTIES, _TABLE: contents.standing.table},
        )

    def _add(
        self, transaction: Transaction, name: str, staged: Mapping[int, list[Path]]
    ) -> list[DataFile]:
        keys: dict[str, Path] = {}
        described: list[DataFile] = []
        for bucket, files in staged.items():
            for file in files:
                key = f"{name}/data/{max(bucket, 0):02}-{uuid.uuid4().hex}.parquet"
                keys[key], location = file, f"{self._objects.url}/{key}"
                partition = None if bucket == NO_USER else bucket
                described.append(
                    describe_file(transaction.table_metadata, file, location, partition)
                )
        publish_files(self._objects, keys)
        return described

    def _commit(
        self,
        transaction: Transaction,
        summary: Mapping[str, str],
        added: list[DataFile],
        replaces: frozenset[int] | None,
    ) -> None:
        """One snapshot in place of these buckets, or of everything, and an end to old ones."""
        metadata, io = transaction.table_metadata, transaction._table.io  # noqa: SLF001
        with transaction.update_snapshot(snapshot_properties={**summary}).overwrite() as snapshot:
            snapshot.delete_by_predicate(
                AlwaysTrue()
            )  # look into every manifest for what is deleted
            for file in live_files(metadata.current_snapshot(), io):
                bucket = NO_USER if not len(file.partition) else file.partition[0]
                if replaces is None or (NO_USER if bucket is None else bucket) in replaces:
                    snapshot.delete_data_file(file)
            for file in added:
                snapshot.append_data_file(file)
        history.tag(transaction, snapshot.snapshot_id, summary.get(_DUMP))
        history.expire(transaction, datetime.now(UTC))
        transaction.commit_transaction()

    def _sweep(self, name: str, table: Table, before: datetime | None) -> None:
        url = f"{self._objects.url}/"
        keep = {path.removeprefix("file://").removeprefix(url) for path in named_files(table)}
        remove_files(self._objects, f"{name}/", keep, before)

    def _location(self, name: str) -> str:
        return f"{self._objects.url}/{name}"

    def _explained(self, name: str) -> Any:
        return explained(f"{self._namespace}.{name}")


def _version(table: Table, summary: Mapping[str, str]) -> Version:
    snapshot, dump = table.current_snapshot(), summary.get(_DUMP)
    buckets = {int(one): digest for one, digest in json.loads(summary[_BUCKETS]).items()}
    return Version(
        Standing(summary[_TABLE], types_of(table.schema()), buckets, int(dump) if dump else None),
        location=table.metadata_location,
        version=str(snapshot.snapshot_id if snapshot else 0),
    )


def _summary_of(standing: Standing) -> dict[str, str]:
    dump = {} if standing.dump_id is None else {_DUMP: str(standing.dump_id)}
    return {_TABLE: standing.table, _BUCKETS: json.dumps(standing.buckets), **dump}


def _own_summary(table: Table) -> Mapping[str, str] | None:
    """What the table holds, by the newest snapshot that did more than rearrange files."""
    snapshot: Snapshot | None = table.current_snapshot()
    while snapshot is not None and snapshot.summary is not None:
        if _BUCKETS in snapshot.summary.additional_properties:
            return snapshot.summary.additional_properties
        if snapshot.summary.operation is not Operation.REPLACE:
            return None
        parent = snapshot.parent_snapshot_id
        snapshot = table.snapshot_by_id(parent) if parent is not None else None
    return None
