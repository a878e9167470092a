"""tap-heap with target-jsonl, pointed at an S3 server on this machine."""

import json
import logging
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

from benchmarks.generate import BUCKET
from benchmarks.measure import Contestant
from benchmarks.peers.environments import LeftOutError, interpreter_for

_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True, slots=True)
class TapHeap:
    """Both commands, each in an environment of its own, and the server they read from."""

    tap: Path
    target: Path
    folder: Path
    endpoint: str

    def contestant(self, name: str, script: tuple[str | Path, ...], repository: Path) -> Contestant:
        """`script` is the command of `benchmarks.peers.tap_heap`, without its arguments."""
        out = self.folder / "lines"
        arguments = (self.tap, self.target, self._config, self._catalog, out)
        return Contestant(
            name,
            (*script, *arguments),
            environment={"PYTHONPATH": str(repository), **self._environment},
            prepare=lambda: _empty(out),
        )

    def discover(self) -> None:
        """Write the configuration, and the catalog with every table and column selected.

        Raises LeftOutError where the tap cannot read the bucket.
        """
        config = {"start_date": "2026-01-01T00:00:00Z", "bucket": BUCKET}
        assumed = dict.fromkeys(("account_id", "external_id", "role_name"), "none")
        self._config.write_text(json.dumps({**config, **assumed}))
        command = (str(self.tap), "--config", str(self._config), "--discover")
        found = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False
        )
        if found.returncode:
            raise LeftOutError(f"tap-heap, as it cannot read the bucket: {found.stderr[-500:]}")
        catalog = json.loads(found.stdout)
        for stream in catalog["streams"]:
            for entry in stream["metadata"]:
                entry["metadata"]["selected"] = True
        self._catalog.write_text(json.dumps(catalog))

    @property
    def _config(self) -> Path:
        return self.folder / "config.json"

    @property
    def _catalog(self) -> Path:
        return self.folder / "catalog.json"

    @property
    def _environment(self) -> dict[str, str]:
        return {**_CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint, "HOME": str(self.folder)}


@contextmanager
def tap_heap(export: Path, folder: Path, *, install: bool) -> Iterator[TapHeap]:
    """The export in a bucket of its own, for as long as it takes. Raises LeftOutError."""
    tap = interpreter_for("tap-heap", install=install).with_name("tap-heap")
    target = interpreter_for("target-jsonl", install=install).with_name("target-jsonl")
    folder.mkdir()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it would tell of every request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        _upload(export, endpoint)
        peer = TapHeap(tap, target, folder, endpoint)
        peer.discover()
        yield peer
    finally:
        server.stop()


def _upload(export: Path, endpoint: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=_CREDENTIALS["AWS_DEFAULT_REGION"],
        aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    client.create_bucket(Bucket=BUCKET)
    for path in sorted(export.rglob("*")):
        if path.is_file():
            client.upload_file(str(path), BUCKET, path.relative_to(export).as_posix())


def _empty(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
