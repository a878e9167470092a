"""An S3 server on this machine, for as long as somebody needs it."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.seaweedfs import seaweedfs
from csq_assets_tests.spark.processes import NotStartedError, wait_for

BUCKET = "lake"
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True, slots=True)
class S3:
    """A server with an empty bucket, BUCKET."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What points the AWS SDK at the server."""
        return {**_CREDENTIALS, "AWS_ENDPOINT_URL_S3": self.endpoint}

    @property
    def conf(self) -> dict[str, str]:
        """The same for Spark."""
        return {
            "spark.hadoop.fs.s3a.access.key": _CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "spark.hadoop.fs.s3a.endpoint": self.endpoint,
            "spark.hadoop.fs.s3a.endpoint.region": _CREDENTIALS["AWS_DEFAULT_REGION"],
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.secret.key": _CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        }

    def client(self) -> Any:
        """boto3's client for it."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=_CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def s3_server(weed: Path, folder: Path) -> Iterator[S3]:
    """SeaweedFS, with an empty bucket. Raises NotStartedError."""
    identity = {
        "name": "made-up",
        "credentials": [
            {
                "accessKey": _CREDENTIALS["AWS_ACCESS_KEY_ID"],
                "secretKey": _CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            }
        ],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    # Without an identity it refuses every signed request.
    config = folder.with_suffix(".json")
    config.write_text(json.dumps({"identities": [identity]}))
    options = (f"-s3.config={config}", "-master.volumeSizeLimitMB=256")
    with ExitStack() as running:
        try:
            started = running.enter_context(seaweedfs(weed, folder, *options))
        except OSError as error:
            raise NotStartedError(f"SeaweedFS does not start: {error}") from error
        server = S3(f"http://127.0.0.1:{started.port}")
        client = server.client()

        def is_ready() -> bool:
            try:
                client.create_bucket(Bucket=BUCKET)
                client.put_object(Bucket=BUCKET, Key="first", Body=b"")
            except (BotoCoreError, ClientError):
                return False
            return True

        wait_for("SeaweedFS", started.process, is_ready, started.log)
        yield server
