"""An S3 server with a REST catalog of Iceberg on this machine, for as long as somebody needs them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from benchmarks.processes import wait_for
from benchmarks.seaweedfs import free_ports, seaweedfs

BUCKET = "lake"
CATALOG = "rest"
_TABLES = "tables"  # the bucket of the catalog
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True, slots=True)
class S3:
    """A server with an empty bucket, BUCKET, and an empty catalog at another address."""

    endpoint: str
    catalog_endpoint: str

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

    @property
    def catalog_conf(self) -> dict[str, str]:
        """The catalog CATALOG for Spark."""
        name = f"spark.sql.catalog.{CATALOG}"
        login = f"{_CREDENTIALS['AWS_ACCESS_KEY_ID']}:{_CREDENTIALS['AWS_SECRET_ACCESS_KEY']}"
        return {
            "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
            name: "org.apache.iceberg.spark.SparkCatalog",
            f"{name}.type": "rest",
            f"{name}.uri": self.catalog_endpoint,
            f"{name}.warehouse": f"s3://{_TABLES}",
            f"{name}.credential": login,
            f"{name}.oauth2-server-uri": f"{self.catalog_endpoint}/v1/oauth/tokens",
            f"{name}.io-impl": "org.apache.iceberg.hadoop.HadoopFileIO",
        }

    def client(self, service: Literal["s3", "s3tables"] = "s3") -> Any:
        """boto3's client for it."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=_CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )


@contextmanager
def s3_server(weed: Path, folder: Path) -> Iterator[S3]:
    """SeaweedFS, with an empty bucket and an empty catalog. Raises NotStartedError."""
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
    (port,) = free_ports(1)
    options = (
        *(f"-s3.config={config}", f"-s3.port.iceberg={port}"),
        "-master.volumeSizeLimitMB=256",
    )
    with seaweedfs(weed, folder, *options) as started:
        server = S3(f"http://127.0.0.1:{started.port}", f"http://127.0.0.1:{port}")
        client = server.client()

        def is_ready() -> bool:
            try:
                client.create_bucket(Bucket=BUCKET)
                client.put_object(Bucket=BUCKET, Key="first", Body=b"")
            except (BotoCoreError, ClientError):
                return False
            return True

        wait_for("SeaweedFS", started.process, is_ready, started.log)
        server.client("s3tables").create_table_bucket(name=_TABLES)
        yield server
