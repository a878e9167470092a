"""tap-heap with target-jsonl, pointed at an S3 server on this machine."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generate import BUCKET
from benchmarks.measure import Contestant
from benchmarks.peers.environments import LeftOutError, interpreter_for
from benchmarks.s3_server import S3Server, environment, s3_server


@dataclass(frozen=True, slots=True)
class TapHeap:
    """Both commands, each in an environment of its own, and the server they read from."""

    tap: Path
    target: Path
    folder: Path
    server: S3Server

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
        return {**environment(self.server.port), "HOME": str(self.folder)}


@contextmanager
def tap_heap(export: Path, folder: Path, *, install: bool) -> Iterator[TapHeap]:
    """The export in a bucket of its own, for as long as it takes. Raises LeftOutError."""
    tap = interpreter_for("tap-heap", install=install).with_name("tap-heap")
    target = interpreter_for("target-jsonl", install=install).with_name("target-jsonl")
    folder.mkdir()
    with s3_server(folder / "server", install=install) as server:
        client = server.client()
        for path in sorted(export.rglob("*")):
            if path.is_file():
                client.upload_file(str(path), BUCKET, path.relative_to(export).as_posix())
        peer = TapHeap(tap, target, folder, server)
        peer.discover()
        yield peer


def _empty(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
