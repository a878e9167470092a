"""Where a test's export is put: a directory, or a bucket on moto's server."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends


class Target(Protocol):
    """Where an export is put: keys as in a bucket, bytes under them."""

    @property
    def url(self) -> str: ...
    def put(self, key: str, body: bytes, modified: datetime | None = None) -> None: ...
    def get(self, key: str) -> bytes: ...
    def delete(self, key: str) -> None: ...
    def list_keys(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class DirectoryTarget:
    """A directory that mirrors a bucket from its root."""

    directory: Path

    @property
    def url(self) -> str:
        return str(self.directory)

    def put(self, key: str, body: bytes, modified: datetime | None = None) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        if modified is not None:
            os.utime(path, (modified.timestamp(), modified.timestamp()))

    def get(self, key: str) -> bytes:
        return self._path(key).read_bytes()

    def delete(self, key: str) -> None:
        self._path(key).unlink()

    def list_keys(self) -> list[str]:
        files = (path for path in self.directory.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.directory).as_posix() for path in files)

    def _path(self, key: str) -> Path:
        path = self.directory / key
        if not path.resolve().is_relative_to(self.directory.resolve()):
            raise ValueError(f"key {key!r} leads out of {self.directory}")
        return path


@dataclass(frozen=True, slots=True)
class S3Target:
    """A bucket on moto's server. `client` is boto3's; `url` is s3://bucket or s3://bucket/prefix."""

    client: Any
    bucket: str
    prefix: str = ""

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def put(self, key: str, body: bytes, modified: datetime | None = None) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)
        if modified is not None:
            # S3 sets this time itself; the server runs in this process, so its clock can be told.
            buckets = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets
            stored = buckets[self.bucket].keys[key]
            stored.last_modified = modified.astimezone(UTC).replace(tzinfo=None)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def list_keys(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))
