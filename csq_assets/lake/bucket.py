"""Objects in a bucket, through a boto3 client: the SDK's own credentials, retries and transfers."""

import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl
from boto3.s3.transfer import TransferConfig
from s3transfer.utils import S3_RETRYABLE_DOWNLOAD_ERRORS

from csq_assets.dataconnect.catalog import Delivered
from csq_assets.errors import StorageError
from csq_assets.interruption import raise_if_interrupted
from csq_assets.lake.s3_errors import explaining, not_s3
from csq_assets.lake.s3_meanings import Place
from csq_assets.lake.temporary import temporary_folder

_IN_MEMORY_BYTES = 8 * 1024 * 1024
_CREDENTIALS_LAST_SECONDS = 300  # until Polars asks again; the SDK renews them earlier than that


def _go_on(_bytes: int) -> None:
    """Called by the SDK at every step of a transfer, which it gives up where this raises."""
    raise_if_interrupted()


# A larger object is downloaded to disk. Several are at once, so each takes little memory.
_IN_PARTS = {"Config": TransferConfig(max_concurrency=4, max_io_queue=16), "Callback": _go_on}


class BucketStore:
    """A bucket, or a prefix of it: keys are relative to the prefix.

    `setting` is the variable that names it, for messages. With `request_payer`, reading is paid for
    by the reader.
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        prefix: str = "",
        *,
        setting: str,
        request_payer: str | None = None,
    ) -> None:
        self._client = client
        self._paying = {"RequestPayer": request_payer} if request_payer else {}
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._setting = setting

    @property
    def url(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def list(self, prefix: str) -> Iterator[Delivered]:
        with self._reaching(prefix):
            for page in self._pages(prefix):
                for entry in page.get("Contents", ()):
                    yield Delivered(
                        key=entry["Key"].removeprefix(self._prefix),
                        etag=entry["ETag"].strip('"'),
                        size_bytes=entry["Size"],
                        modified=entry["LastModified"],
                    )

    def folders(self, prefix: str) -> Iterator[str]:
        with self._reaching(prefix):
            for page in self._pages(prefix, Delimiter="/"):
                for entry in page.get("CommonPrefixes", ()):
                    yield entry["Prefix"].removeprefix(self._prefix + prefix).removesuffix("/")

    def _pages(self, prefix: str, **request: str) -> Iterator[Mapping[str, Any]]:
        return self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix, **request, **self._paying
        )

    def stat(self, key: str) -> Delivered | None:
        try:
            with self._reaching(key):
                head = self._client.head_object(**self._object(key), **self._paying)
                self._require_length(key, head)
                etag, modified = head["ETag"].strip('"'), head["LastModified"]
                return Delivered(key, etag, head["ContentLength"], modified)
        except FileNotFoundError:
            return None

    @property
    def at_once(self) -> int:
        """The number of connections that the client keeps."""
        return self._client.meta.config.max_pool_connections

    def open(self, key: str) -> BinaryIO:
        with self._reaching(key):
            return self._read_small(key) or self._download(key)

    def read(self, key: str) -> bytes:
        with self.open(key) as file:
            return file.read()

    def _read_small(self, key: str) -> BytesIO | None:
        """The object by one request; None where it is large, or the answer is cut: the SDK retries
        that in a download alone.
        """
        answer = self._client.get_object(**self._object(key), **self._paying)
        with closing(answer["Body"]) as body, suppress(*S3_RETRYABLE_DOWNLOAD_ERRORS):
            self._require_length(key, answer)
            if answer["ContentLength"] <= _IN_MEMORY_BYTES:
                return BytesIO(body.read())
        return None

    def _require_length(self, key: str, answer: Mapping[str, Any]) -> None:
        """Refuse an answer that is not S3's, or whose end could not be told from a cut."""
        if "ETag" not in answer:
            raise not_s3("an object was asked for, and the answer has no ETag")
        if "ContentLength" not in answer:
            raise StorageError(
                f"{self._s3_url(key)}: the answer has no Content-Length",
                remedy="Let no proxy between here and S3 change answers.",
            )

    def _download(self, key: str) -> BinaryIO:
        spool = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._client.download_fileobj(
                self._bucket, self._prefix + key, spool, ExtraArgs=self._paying, **_IN_PARTS
            )
        except BaseException:
            spool.close()
            raise
        spool.seek(0)
        return cast("BinaryIO", spool)

    def put(self, key: str, body: bytes) -> None:
        with self._reaching(key):
            answer = self._client.put_object(**self._object(key), Body=body)
            if "ETag" not in answer:
                raise not_s3("an object was written, and the answer has no ETag")

    def staging(self) -> AbstractContextManager[Path]:
        return temporary_folder()

    def publish(self, staged: Path, key: str) -> None:
        # A multipart upload becomes an object only when it is completed.
        with self._reaching(key), staged.open("rb") as file:
            self._client.upload_fileobj(file, self._bucket, self._prefix + key, Callback=_go_on)

    def abort_unfinished_uploads(self, prefix: str, before: datetime) -> None:
        uploads = self._client.get_paginator("list_multipart_uploads")
        # Whoever lacks the right, or has a store that cannot do it, has a lifecycle rule instead.
        with suppress(StorageError), self._reaching(prefix):
            for page in uploads.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for upload in page.get("Uploads", ()):
                    if upload["Initiated"] < before:
                        self._client.abort_multipart_upload(
                            Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )

    def delete(self, key: str) -> None:
        with suppress(FileNotFoundError), self._reaching(key):  # not every store passes over it
            self._client.delete_object(**self._object(key))

    @contextmanager
    def local_copy(self, key: str) -> Iterator[Path]:
        with self._reaching(key):
            small = self._read_small(key)
        with self.staging() as folder:
            path = folder / "object"
            with self._reaching(key):
                if small:
                    path.write_bytes(small.getbuffer())
                else:
                    source = self._bucket, self._prefix + key
                    self._client.download_file(*source, str(path), **_IN_PARTS)
            yield path

    def parquet_metadata(self, key: str) -> Mapping[str, str]:
        source, options = self._parquet(key)
        return pl.read_parquet_metadata(source, **options)

    def scan_parquet(self, key: str) -> pl.LazyFrame:
        source, options = self._parquet(key)
        return pl.scan_parquet(source, glob=False, **options)

    def _parquet(self, key: str) -> tuple[BytesIO | str, dict[str, Any]]:
        """The object for Polars, with options. A small one is read here: Polars would send several
        requests for it.
        """
        with self._reaching(key):
            small = self._read_small(key)
            return (small, {}) if small else (self._s3_url(key), self._polars_options)

    def _s3_url(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key}"

    @cached_property
    def _polars_options(self) -> dict[str, Any]:
        """Where Polars sends its own requests, and with which credentials: the client's."""
        endpoint, region = self._address
        return {
            "storage_options": {
                "aws_endpoint_url": endpoint,
                "aws_region": region,
                "aws_allow_http": str(endpoint.startswith("http://")).lower(),
            },
            "credential_provider": self._credentials,
        }

    def iceberg_options(self) -> dict[str, str]:
        """The same for pyiceberg, with the credentials of this moment."""
        with self._reaching(""):
            endpoint, region = self._address
            key, secret, token = self._credentials()[0].values()
        found = {
            "s3.endpoint": endpoint,
            "s3.region": region,
            "s3.access-key-id": key,
            "s3.secret-access-key": secret,
            "s3.session-token": token,
        }
        return {name: value for name, value in found.items() if value}

    @cached_property
    def _address(self) -> tuple[str, str]:
        """The endpoint, without a user that others would print, and the region of the bucket, to which
        the client follows S3 and others do not."""
        region = self._client.head_bucket(Bucket=self._bucket).get("BucketRegion")
        endpoint = re.sub("(?<=://).*@", "", self._client.meta.endpoint_url)
        return endpoint, region or self._client.meta.region_name or "us-east-1"

    def _credentials(self) -> tuple[dict[str, str | None], int]:
        # boto3 has no public name for the credentials of a client.
        found = self._client._request_signer._credentials.get_frozen_credentials()  # noqa: SLF001
        return {
            "aws_access_key_id": found.access_key,
            "aws_secret_access_key": found.secret_key,
            "aws_session_token": found.token,
        }, int(time.time()) + _CREDENTIALS_LAST_SECONDS

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _reaching(self, key: str) -> AbstractContextManager[None]:
        return explaining(Place(self._s3_url(key), self._bucket, self._setting))
