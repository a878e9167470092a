"""Objects in a bucket, through a boto3 client: the SDK's own credentials, retries and transfers."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    ParamValidationError,
    SSOError,
)
from s3transfer.exceptions import (
    RetriesExceededError,
    S3DownloadFailedError,
    S3ValidationError,
)
from s3transfer.utils import S3_RETRYABLE_DOWNLOAD_ERRORS

from csq_assets.dataconnect.catalog import Delivered
from csq_assets.errors import CsqError, SettingsError, StorageError

_IN_MEMORY_BYTES = 8 * 1024 * 1024
# Of a larger object, which goes to disk: what is on its way there counts for each of several.
_IN_PARTS = TransferConfig(max_concurrency=4, max_io_queue=16)
_MISSING = {"404", "NoSuchKey"}
_DENIED = {"403", "AccessDenied", "AllAccessDisabled"}
# Of what changes a bucket: the right that it takes.
_CHANGING = {
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
}
_NO_CREDENTIALS = (NoCredentialsError, CredentialRetrievalError, SSOError)
_CREDENTIALS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "AuthFailure",
}


class BucketStore:
    """A bucket, or what lies under a prefix of it: keys count from the prefix.

    `setting` is the variable that names it, for messages.
    """

    def __init__(self, client: Any, bucket: str, prefix: str = "", *, setting: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._setting = setting

    @property
    def url(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def list(self, prefix: str) -> Iterator[Delivered]:
        for page in self._pages(prefix):
            for entry in page.get("Contents", ()):
                yield Delivered(
                    key=entry["Key"].removeprefix(self._prefix),
                    etag=entry["ETag"].strip('"'),
                    size_bytes=entry["Size"],
                    modified=entry["LastModified"],
                )

    def folders(self, prefix: str) -> Iterator[str]:
        for page in self._pages(prefix, Delimiter="/"):
            for entry in page.get("CommonPrefixes", ()):
                yield entry["Prefix"].removeprefix(self._prefix + prefix).removesuffix("/")

    def _pages(self, prefix: str, **request: str) -> Iterator[Mapping[str, Any]]:
        with self._reaching(prefix, listing=True):
            yield from self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix, **request
            )

    def stat(self, key: str) -> Delivered | None:
        try:
            with self._reaching(key):
                head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        except FileNotFoundError:
            return None
        return Delivered(key, head["ETag"].strip('"'), head["ContentLength"], head["LastModified"])

    @property
    def at_once(self) -> int:
        """As many as the client keeps connections."""
        return self._client.meta.config.max_pool_connections

    def open(self, key: str) -> BinaryIO:
        with self._reaching(key):
            return self._read_small(key) or self._download(key)

    def read(self, key: str) -> bytes:
        with self.open(key) as file:
            return file.read()

    def _read_small(self, key: str) -> BytesIO | None:
        """The object by one request; None where it is large, or the answer breaks off: that is no
        reason for the SDK to ask again, other than in a download.
        """
        answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
        with closing(answer["Body"]) as body, suppress(*S3_RETRYABLE_DOWNLOAD_ERRORS):
            if answer["ContentLength"] <= _IN_MEMORY_BYTES:
                return BytesIO(body.read())
        return None

    def _download(self, key: str) -> BinaryIO:
        spool = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._client.download_fileobj(self._bucket, self._prefix + key, spool, Config=_IN_PARTS)
        except BaseException:
            spool.close()
            raise
        spool.seek(0)
        return cast("BinaryIO", spool)

    def put(self, key: str, body: bytes) -> None:
        with self._reaching(key):
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=body)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="csq-") as folder:
            yield Path(folder)

    def publish(self, staged: Path, key: str) -> None:
        # An upload in parts becomes an object when it is completed, and not before.
        with self._reaching(key), staged.open("rb") as file:
            self._client.upload_fileobj(file, self._bucket, self._prefix + key)

    def delete(self, key: str) -> None:
        with self._reaching(key):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def parquet_metadata(self, key: str) -> Mapping[str, str]:
        return pl.read_parquet_metadata(*self._parquet(key))

    def scan_parquet(self, key: str) -> pl.LazyFrame:
        source, options = self._parquet(key)
        return pl.scan_parquet(source, glob=False, storage_options=options)

    def _parquet(self, key: str) -> tuple[BytesIO | str, dict[str, str] | None]:
        """The object for Polars, with options. A small one is read here, as Polars asks for it bit
        by bit, which takes longer than all of it.
        """
        with self._reaching(key):
            small = self._read_small(key)
        return (small, None) if small else (self._s3_url(key), self._polars_options())

    def _s3_url(self, key: str) -> str:
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def _polars_options(self) -> dict[str, str]:
        """Where the client's requests go; Polars finds the credentials as boto3 does."""
        endpoint: str = self._client.meta.endpoint_url
        return {
            "aws_endpoint_url": endpoint,
            "aws_region": self._client.meta.region_name or "us-east-1",
            "aws_allow_http": str(endpoint.startswith("http://")).lower(),
        }

    @contextmanager
    def _reaching(self, key: str, *, listing: bool = False) -> Iterator[None]:
        place = self._s3_url(key)
        try:
            yield
        except _NO_CREDENTIALS as error:
            said = "" if isinstance(error, NoCredentialsError) else f": {error}"
            raise SettingsError(
                f"no AWS credentials were found{said}",
                where={"setting": "AWS_ACCESS_KEY_ID"},
                remedy="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where "
                "a role gives them.",
            ) from error
        except ClientError as error:
            raise self._explained(error, place, listing=listing) from error
        except ParamValidationError as error:
            raise SettingsError(
                f'"{self._bucket}" cannot be the name of a bucket',
                where={"setting": self._setting},
                remedy="Give s3://bucket, or s3://bucket/prefix.",
            ) from error
        except (
            BotoCoreError,
            RetriesExceededError,
            S3DownloadFailedError,
            S3ValidationError,
        ) as error:
            raise StorageError(
                f"{place} cannot be reached: {error}",
                remedy="Check the network and AWS_ENDPOINT_URL_S3, then run csq sync again.",
            ) from error

    def _explained(self, error: ClientError, place: str, *, listing: bool) -> Exception:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "NoSuchBucket":
            return SettingsError(
                f'there is no bucket "{self._bucket}"',
                where={"setting": self._setting},
                remedy=f"Correct the bucket's name in {self._setting}, or AWS_ENDPOINT_URL_S3.",
            )
        if code in _CREDENTIALS:
            return SettingsError(
                f"the AWS credentials are refused ({code})",
                where={"setting": "AWS_ACCESS_KEY_ID"},
                remedy="Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.",
            )
        if code in _DENIED:
            return self._denied(error.operation_name, place, listing=listing)
        if code in _MISSING:
            return FileNotFoundError(place)
        return StorageError(f"{place}: {error}", remedy="Run csq sync again.")

    def _denied(self, operation: str, place: str, *, listing: bool) -> CsqError:
        if listing:
            return SettingsError(
                f"no right to list {place}",
                where={"setting": self._setting},
                remedy="Allow s3:ListBucket on the bucket (README, Your own bucket).",
            )
        if right := _CHANGING.get(operation):
            return StorageError(f"no right to change {place}", remedy=f"Allow {right} on it.")
        return StorageError(
            f"no right to {place}, or it does not exist",
            remedy="Allow s3:GetObject on it, and s3:ListBucket so that a missing object can be "
            "told from a forbidden one.",
        )
