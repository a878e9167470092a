"""Published tables as plain Parquet, with a manifest that names the files of one version.

`<table>/data/…parquet` never change. `<table>/_symlink_format_manifest/manifest` lists those that
count, one path a line, as Athena, Trino and Spark read it; `<table>/manifest.json` says more, and is
replaced last. Source: docs/publishing.md.
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import polars as pl
from pydantic import BaseModel, ValidationError

from csq_assets.lake.objects import ObjectStore
from csq_assets.lake.parquet_files import sink
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

_READ_FOR = timedelta(days=1)  # how long a reader may take with the files of one version
_TYPES = {"BIGINT": pl.Int64, "VARCHAR": pl.String}


class _File(BaseModel):
    path: str
    bucket: int
    size_bytes: int


class _Manifest(BaseModel):
    """What a version holds. `retired` are files of earlier versions, with the time of their end."""

    table: str
    published_at: datetime
    dump_id: int | None
    columns: dict[str, str]
    buckets: dict[int, str]
    files: list[_File]
    retired: dict[str, datetime] = {}


class ParquetTarget:
    """Parquet below a directory or a prefix."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def columns(self, columns: Mapping[str, str]) -> dict[str, str]:
        return {column: column for column in columns}

    def read(self, name: str) -> Version | None:
        manifest = self._read(name)
        return self._version(name, manifest) if manifest else None

    def can_keep(self, known: Standing, wanted: Standing) -> bool:
        """A reader of several files wants the same columns in each."""
        return known.has_columns_of(wanted)

    def write(self, name: str, contents: Contents) -> Written:
        now, standing, before = datetime.now(UTC), contents.standing, self._read(name)
        files = before.files if before and not contents.is_new else []
        kept = [file for file in files if file.bucket not in contents.changed]
        added = self._write_files(name, contents, is_empty=not standing.buckets)
        manifest = _Manifest(
            table=standing.table,
            published_at=now,
            dump_id=standing.dump_id,
            columns=dict(standing.columns),
            buckets=dict(standing.buckets),
            files=[*kept, *added],
        )
        if before:
            still = {file.path for file in manifest.files}
            gone = {file.path: now for file in before.files if file.path not in still}
            recently = {path: at for path, at in before.retired.items() if now - at < _READ_FOR}
            manifest.retired = recently | gone
        self._replace(name, manifest)
        keep = {f"{name}/{path}" for path in manifest.retired}
        keep |= {f"{name}/{file.path}" for file in manifest.files}
        remove_files(self._objects, f"{name}/data/", keep, before=now - ORPHANED_AFTER)
        return Written(
            self._version(name, manifest),
            files=len(added),
            bytes_written=sum(file.size_bytes for file in added),
        )

    def purge(self, name: str) -> Version:
        manifest = _Manifest.model_validate_json(self._objects.read(_json(name)))
        manifest.retired = {}
        self._replace(name, manifest)
        keep = {f"{name}/{file.path}" for file in manifest.files}
        remove_files(self._objects, f"{name}/data/", keep, before=None)
        return self._version(name, manifest)

    def remove(self, name: str) -> None:
        for key in (_json(name), _paths(name)):  # readers first
            self._objects.delete(key)
        remove_files(self._objects, f"{name}/", (), before=None)

    def _version(self, name: str, manifest: _Manifest) -> Version:
        return Version(
            Standing(manifest.table, manifest.columns, manifest.buckets, manifest.dump_id),
            location=f"{self._objects.url}/{_json(name)}",
            version=manifest.published_at.isoformat(),
        )

    def _read(self, name: str) -> _Manifest | None:
        """None also for one that is damaged: everything is written anew then."""
        try:
            return _Manifest.model_validate_json(self._objects.read(_json(name)))
        except (FileNotFoundError, ValidationError):
            return None

    def _write_files(self, name: str, contents: Contents, *, is_empty: bool) -> list[_File]:
        with self._objects.staging() as folder:
            staged = dict(contents.stage(folder / "buckets", None))
            if is_empty:  # a reader wants the columns all the same
                schema = {
                    column: _TYPES[kind] for column, kind in contents.standing.columns.items()
                }
                sink(pl.LazyFrame(schema=schema), folder / "empty")
                staged[NO_USER] = [folder / "empty"]
            written = {
                file: _File(
                    path=f"data/{max(bucket, 0):02}-{uuid.uuid4().hex}.parquet",
                    bucket=bucket,
                    size_bytes=file.stat().st_size,
                )
                for bucket, files in staged.items()
                for file in files
            }
            keys = {f"{name}/{one.path}": file for file, one in written.items()}
            publish_files(self._objects, keys)
            return list(written.values())

    def _replace(self, name: str, manifest: _Manifest) -> None:
        paths = [f"{self._objects.url}/{name}/{file.path}\n" for file in manifest.files]
        self._objects.put(_paths(name), "".join(paths).encode())
        self._objects.put(_json(name), manifest.model_dump_json(indent=1).encode())


def _json(name: str) -> str:
    return f"{name}/manifest.json"


def _paths(name: str) -> str:
    return f"{name}/_symlink_format_manifest/manifest"
