"""Builds tiny real exports: Avro files, manifests and reports, in a directory or in a bucket."""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import quote

from csq_assets_tests.avro_files import Row, Schema, avro_schema, encode_avro
from csq_assets_tests.targets import Target


@dataclass(frozen=True, slots=True)
class AvroFile:
    """One file of a table. `body` replaces what would be written of `rows`, to deliver damage.

    `listed_as` is the path for the manifest where it is not the file's own. With `written` false
    the manifest lists a file that does not exist.
    """

    rows: Sequence[Row] = ()
    schema: Schema | None = None
    codec: str | None = None  # that of the delivery
    name: str | None = None
    body: bytes | None = None
    listed_as: str | None = None
    written: bool = True


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was delivered: the manifest as a document, its key, and each table's paths as listed."""

    dump_id: int
    manifest: dict[str, Any]
    manifest_key: str
    paths: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return encode_json(self.manifest)


@dataclass(frozen=True, slots=True)
class ExportBuilder:
    """Delivers dumps and reports. `prefix` is a folder of the bucket, everything lies under it."""

    target: Target
    bucket: str = "customer"
    prefix: str = ""
    manifest_prefix: str = "manifests/"

    @property
    def url(self) -> str:
        """What CSQ_EXPORT_URL must be to read this export."""
        return self.target.url

    def key(self, name: str) -> str:
        return f"{self.prefix.strip('/')}/{name}".lstrip("/")

    def path(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def key_of(self, path: str) -> str:
        """The key of a path that a manifest lists."""
        return path.removeprefix(f"s3://{self.bucket}/")

    def deliver(  # noqa: PLR0913  # a delivery has many ways to be odd
        self,
        dump_id: int,
        *,
        tables: Mapping[str, Iterable[Row | AvroFile]] | None = None,
        full_resync: bool | Collection[str] = (),
        incremental: Collection[str] = (),
        columns: Mapping[str, Sequence[str]] | None = None,
        schemas: Mapping[str, Schema] | None = None,
        codec: str = "snappy",
        rows_per_file: int | None = None,
        property_definitions: Any = None,
        manifest_name: str | None = None,
        with_manifest: bool = True,
        edit: Callable[[dict[str, Any]], object] | None = None,
        modified: datetime | None = None,
        **more_tables: Iterable[Row | AvroFile],
    ) -> Delivery:
        """Write the files of a dump, then its manifest.

        A table is a list of rows, or of `AvroFile`s; an empty list is a table without files. Tables
        whose name is no identifier come in `tables`. Columns not given are the rows', in the order
        in which they are first seen. `full_resync`: all tables (True) or the named ones; always
        `user_migrations`, unless `incremental` names it. `edit` may change the manifest's document
        before it is written. `modified` is the manifest's time.
        """
        paths: dict[str, tuple[str, ...]] = {}
        entries: list[dict[str, Any]] = []
        for table, content in {**(tables or {}), **more_tables}.items():
            named = (columns or {}).get(table)
            files = _as_files(content, rows_per_file)
            schema = (schemas or {}).get(table)
            folder = f"sync_{dump_id}/{quote(table, safe=' ').replace('.', '%2E')}"
            listed = [
                self._put_file(folder, index, file, _encode(file, schema, codec, named or ()))
                for index, file in enumerate(files)
            ]
            paths[table] = tuple(listed)
            resynced = full_resync if isinstance(full_resync, bool) else table in full_resync
            resynced = (resynced or table == "user_migrations") and table not in incremental
            entries.append(
                {
                    "name": table,
                    "incremental": not resynced,
                    "columns": list(named if named is not None else _columns(files, schema)),
                    "files": listed,
                }
            )
        manifest: dict[str, Any] = {"dump_id": dump_id, "tables": entries}
        if property_definitions is not None:
            key = self.key(f"sync_{dump_id}/property_definitions.json")
            self.put(key, encode_json(property_definitions))
            manifest["property_definitions"] = self.path(key)
        if edit is not None:
            edit(manifest)
        name = manifest_name or f"sync_{dump_id}.json"
        delivery = Delivery(dump_id, manifest, self.key(f"{self.manifest_prefix}{name}"), paths)
        if with_manifest:
            self.put(delivery.manifest_key, delivery.body, modified)
        return delivery

    def put_manifest(self, name: int | str, body: Any, *, modified: datetime | None = None) -> str:
        """Put bytes, or a document, where a manifest lies; returns the key."""
        name = f"sync_{name}.json" if isinstance(name, int) else name
        key = self.key(f"{self.manifest_prefix}{name}")
        self.put(key, encode_json(body), modified)
        return key

    def report(  # noqa: PLR0913  # a report has many fields
        self,
        name: str,
        *,
        status: str = "succeeded",
        start: datetime | int | None = None,
        finish: datetime | int | None = None,
        next_sync_at: datetime | int | None = None,
        error: Any = None,
        omit: Collection[str] = (),
        body: Any = None,
        modified: datetime | None = None,
    ) -> str:
        """Write a report; returns its key.

        A `name` that is a date sets the times: from 05:00 to 05:30 UTC, the next sync a day later.
        Datetimes are written as milliseconds, integers as they are. `omit` leaves fields out;
        `body` (bytes or a document) replaces the whole.
        """
        if body is None:
            day = _midnight(name)
            document = {
                "start_time": _milliseconds(start, day + timedelta(hours=5)),
                "finish_time": _milliseconds(finish, day + timedelta(hours=5, minutes=30)),
                "status": status,
                "next_sync_at": _milliseconds(next_sync_at, day + timedelta(days=1, hours=5)),
                "error": error,
            }
            body = {key: value for key, value in document.items() if key not in omit}
        key = self.key(f"sync_reports/{name if '.' in name else f'{name}.json'}")
        self.put(key, encode_json(body), modified)
        return key

    def put(self, key: str, body: bytes, modified: datetime | None = None) -> None:
        """Write any object, or overwrite it."""
        self.target.put(key, body, modified)

    def get(self, key: str) -> bytes:
        return self.target.get(key)

    def delete(self, key: str) -> None:
        self.target.delete(key)

    def list_keys(self) -> list[str]:
        """All keys, sorted."""
        return self.target.list_keys()

    def _put_file(self, folder: str, index: int, file: AvroFile, body: bytes) -> str:
        # Part of the name comes from the content, as a re-delivery brings files of other names.
        name = file.name or f"part-{index:05}-{hashlib.sha256(body).hexdigest()[:8]}-c000.avro"
        key = self.key(f"{folder}/{name}")
        if file.written:
            self.put(key, body)
        return file.listed_as or self.path(key)


def encode_json(body: Any) -> bytes:
    """Bytes stay as they are, anything else is written as JSON."""
    return body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()


def _encode(file: AvroFile, schema: Schema | None, codec: str, columns: Sequence[str]) -> bytes:
    if file.body is not None:
        return file.body
    schema = file.schema or schema or _empty_schema(file.rows, columns)
    return encode_avro(file.rows, schema, codec=file.codec or codec)


def _empty_schema(rows: Sequence[Row], columns: Sequence[str]) -> Schema | None:
    """A file without rows takes its columns from the manifest."""
    return None if rows or not columns else {name: ["null", "string"] for name in columns}


def _as_files(content: Iterable[Row | AvroFile], rows_per_file: int | None) -> list[AvroFile]:
    files: list[AvroFile] = []
    rows: list[Row] = []
    for item in content:
        if isinstance(item, AvroFile):
            files.append(item)
        else:
            rows.append(item)
    if files and rows:
        raise TypeError("a table is a list of rows or a list of files, not of both")
    step = rows_per_file or max(len(rows), 1)
    return files or [AvroFile(rows[at : at + step]) for at in range(0, len(rows), step)]


def _columns(files: Sequence[AvroFile], schema: Schema | None) -> list[str]:
    names: dict[str, None] = {}
    for file in files:
        fields = avro_schema(file.rows, file.schema or schema)["fields"]
        names.update(dict.fromkeys(item["name"] for item in fields))
    return list(names)


def _midnight(name: str) -> datetime:
    try:
        day = date.fromisoformat(name.partition(".")[0])
    except ValueError:
        day = date(2026, 3, 1)
    return datetime.combine(day, time(), UTC)


def _milliseconds(given: datetime | int | None, default: datetime) -> int:
    if isinstance(given, int):
        return given
    return round((given or default).timestamp() * 1000)
