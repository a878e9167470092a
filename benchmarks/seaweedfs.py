"""SeaweedFS, an S3 server, on free ports of this machine."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket

from benchmarks.processes import running

_PARTS = ("master", "volume", "filer", "s3")


@dataclass(frozen=True, slots=True)
class SeaweedFS:
    """A server that is starting. `port` will speak S3; `log` is what it says."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path


@contextmanager
def seaweedfs(weed: Path, folder: Path, *options: str) -> Iterator[SeaweedFS]:
    """A server for as long as the block takes, with its files in `folder`, which is made.

    Raises NotStartedError where there is no such program.
    """
    folder.mkdir(parents=True)
    names = [f"{part}.port{kind}" for part in _PARTS for kind in ("", ".grpc")]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    command = [
        *(str(weed), "server", f"-dir={folder}", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-master.telemetry=false", "-volume.max=100"),
        # Catalogs of its own, at ports that never change.
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
        *(f"-{name}={port}" for name, port in ports.items()),
        *options,
    ]
    log = folder / "log"
    try:
        with running("SeaweedFS", command, {"TMPDIR": str(folder)}, log) as process:
            yield SeaweedFS(process, ports["s3.port"], log)
    finally:
        for name, port in ports.items():
            socket_name = name.replace(".port", "").replace(".", "-")
            Path(f"/tmp/seaweedfs-{socket_name}-{port}.sock").unlink(missing_ok=True)  # noqa: S108


def free_ports(number: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now."""
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
