"""Files of a published Iceberg table: described for a commit, and found again."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
from pyiceberg.io import FileIO
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.typedef import Record

_AT_ONCE = 8


def describe_file(
    metadata: TableMetadata, file: Path, location: str, bucket: int | None
) -> DataFile:
    """The local Parquet file as a data file of the table, once it is at `location`.

    pyiceberg's own `add_files` cannot tell a bucket from the bounds of a column.
    """
    schema, spec = metadata.schema(), metadata.spec()
    statistics = data_file_statistics_from_parquet_metadata(
        parquet_metadata=pq.read_metadata(file),
        stats_columns=compute_statistics_plan(schema, metadata.properties),
        parquet_column_mapping=parquet_path_to_id_mapping(schema),
    )
    return DataFile.from_args(
        content=DataFileContent.DATA,
        file_path=location,
        file_format=FileFormat.PARQUET,
        partition=Record(bucket) if spec.fields else Record(),
        file_size_in_bytes=file.stat().st_size,
        sort_order_id=None,
        spec_id=spec.spec_id,
        equality_ids=None,
        key_metadata=None,
        **statistics.to_serialized_dict(),
    )


def live_files(snapshot: Snapshot | None, io: FileIO) -> list[DataFile]:
    """The data files of a snapshot."""
    manifests = snapshot.manifests(io) if snapshot else []
    found = (file for manifest in manifests for file in _files_of(manifest, io))
    return [file for file in found if file.content is DataFileContent.DATA]


def named_files(table: Table) -> set[str]:
    """Every file that the table's metadata names: in all snapshots, and the metadata itself."""
    io, metadata = table.io, table.metadata
    named = {table.metadata_location, *(entry.metadata_file for entry in metadata.metadata_log)}
    named |= {statistics.statistics_path for statistics in metadata.statistics}
    named |= {statistics.statistics_path for statistics in metadata.partition_statistics}
    named |= {snapshot.manifest_list for snapshot in metadata.snapshots}
    manifests: dict[str, ManifestFile] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for found in pool.map(lambda snapshot: snapshot.manifests(io), metadata.snapshots):
            manifests |= {manifest.manifest_path: manifest for manifest in found}
        for files in pool.map(lambda manifest: _paths_of(manifest, io), manifests.values()):
            named |= files
    return named | manifests.keys()


def _paths_of(manifest: ManifestFile, io: FileIO) -> set[str]:
    return {file.file_path for file in _files_of(manifest, io)}


def _files_of(manifest: ManifestFile, io: FileIO) -> Iterator[DataFile]:
    for entry in manifest.fetch_manifest_entry(io, discard_deleted=True):
        yield entry.data_file
