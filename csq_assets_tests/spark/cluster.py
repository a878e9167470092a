"""A standalone cluster of Spark and an S3 server on this machine, for as long as somebody needs them.

All of it comes from the environment that `requirements.txt` describes, listens on 127.0.0.1 alone, and
keeps its files in one folder. What is started is stopped, by its process id, however the block ends.
"""

import json
import os
import shlex
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

BUCKET = "lake"
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
    "AWS_DEFAULT_REGION": "us-east-1",
}
_START_SECONDS = 120
_STOP_SECONDS = 10
_WORKERS = 2
_AWS_JARS = (
    "hadoop-aws-3.3.3.jar",
    "aws-java-sdk-core-1.12.382.jar",
    "aws-java-sdk-dynamodb-1.12.382.jar",
    "aws-java-sdk-kms-1.12.382.jar",
    "aws-java-sdk-s3-1.12.382.jar",
    "aws-java-sdk-sts-1.12.382.jar",
    "joda-time-2.9.9.jar",
)
# Tables are tiny: little is compiled for them, and few tasks are enough.
_CONF = {
    "spark.default.parallelism": "2",
    "spark.driver.memory": "768m",
    "spark.executor.memory": "640m",
    "spark.hadoop.fs.s3a.endpoint.region": _CREDENTIALS["AWS_DEFAULT_REGION"],
    "spark.hadoop.fs.s3a.path.style.access": "true",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",  # the master has one that lasts
}
_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


class NotStartedError(Exception):
    """Something does not start; its log says why."""


@dataclass(frozen=True, slots=True)
class Software:
    """The environment with Spark: `python` is its interpreter."""

    python: Path

    @property
    def jars(self) -> tuple[Path, ...]:
        """Iceberg's runtime, and what reads and writes S3."""
        (iceberg,) = self._packages.glob(
            "snowpark_connect_deps_iceberg/jars/iceberg-spark-runtime-3.5_2.12*.jar"
        )
        libraries = self._packages / "bodo_iceberg_connector" / "jars" / "libs"
        return (iceberg, *(libraries / name for name in _AWS_JARS))

    @property
    def spark_home(self) -> Path:
        return self._packages / "pyspark"

    @property
    def weed(self) -> Path:
        return self.python.with_name("weed")

    @property
    def _packages(self) -> Path:
        (found,) = self.python.parent.parent.glob("lib/python*/site-packages")
        return found


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
            "spark.hadoop.fs.s3a.secret.key": _CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        }


@dataclass(frozen=True, slots=True)
class Cluster:
    """A master and its workers. `events` is the folder of the event logs of what was executed."""

    software: Software
    master: str
    ui: str
    workers: tuple[subprocess.Popen[bytes], ...]
    events: Path
    s3: S3

    @property
    def environment(self) -> dict[str, str]:
        """What a process that submits jobs needs."""
        return {
            **_home(self.software),
            **self.s3.environment,
            "PYSPARK_PYTHON": str(self.software.python),
            "SPARK_LOCAL_IP": "127.0.0.1",
        }

    def options(self, conf: Mapping[str, str] | None = None) -> list[str]:
        """The options of `spark-submit`; event logs are written where `conf` enables them."""
        known = {
            **_CONF,
            **self.s3.conf,
            "spark.eventLog.dir": self.events.as_uri(),
            **(conf or {}),
        }
        return [
            *("--master", self.master, "--jars", ",".join(map(str, self.software.jars))),
            *("--driver-java-options", _JAVA),
            *(word for name, value in known.items() for word in ("--conf", f"{name}={value}")),
        ]

    @property
    def submit(self) -> str:
        """The command for `CSQ_SPARK_SUBMIT`."""
        program = self.software.spark_home / "bin" / "spark-submit"
        return shlex.join([str(program), *self.options()])

    def state(self) -> dict[str, Any]:
        """What the master says of workers and applications."""
        with urllib.request.urlopen(f"{self.ui}/json/") as answer:  # noqa: S310  # our own address
            return json.load(answer)


@contextmanager
def s3_server(software: Software, folder: Path) -> Iterator[S3]:
    """SeaweedFS, with an empty bucket."""
    folder.mkdir(parents=True)
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
    config = folder / "identities.json"
    config.write_text(json.dumps({"identities": [identity]}))
    parts = [f"{part}.port{kind}" for part in _PARTS for kind in ("", ".grpc")]
    ports = dict(zip(parts, _free_ports(len(parts)), strict=True))
    command = [
        *(str(software.weed), "server", f"-dir={folder}", "-s3", f"-s3.config={config}"),
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"),
        *("-volume.max=100", "-master.volumeSizeLimitMB=256"),
        *(
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
        ),  # catalogs of its own, at ports that never change
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    server = S3(f"http://127.0.0.1:{ports['s3.port']}")
    with _running("SeaweedFS", command, {"TMPDIR": str(folder)}, folder / "log") as process:
        client = boto3.client(
            "s3",
            endpoint_url=server.endpoint,
            region_name=_CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=_CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=_CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

        def is_ready() -> bool:
            try:
                client.create_bucket(Bucket=BUCKET)
                client.put_object(Bucket=BUCKET, Key="first", Body=b"")
            except (BotoCoreError, ClientError):
                return False
            return True

        _wait("SeaweedFS", process, is_ready, folder / "log")
        yield server


@contextmanager
def cluster(software: Software, folder: Path) -> Iterator[Cluster]:
    """An S3 server, a master and two workers of one core and 1 GB each. Raises NotStartedError."""
    events = folder / "events"
    events.mkdir(parents=True)
    with ExitStack() as running:
        s3 = running.enter_context(s3_server(software, folder / "s3"))
        port, ui_port = _free_ports(2)
        master, ui = f"spark://127.0.0.1:{port}", f"http://127.0.0.1:{ui_port}"
        own = {
            **_home(software),
            "SPARK_DAEMON_JAVA_OPTS": _JAVA,
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_LOCAL_DIRS": str(folder / "scratch"),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_NO_DAEMONIZE": "1",
        }

        def start(name: str, *words: str) -> subprocess.Popen[bytes]:
            program = str(software.spark_home / "bin" / "spark-class")
            command = [program, f"org.apache.spark.deploy.{words[0]}", "--host", "127.0.0.1"]
            log = folder / f"{name}.log"
            return running.enter_context(_running(name, [*command, *words[1:]], own, log))

        started = start(
            "master", "master.Master", "--port", str(port), "--webui-port", str(ui_port)
        )
        workers = tuple(
            start(
                *(f"worker-{number}", "worker.Worker", "--cores", "1", "--memory", "1g"),
                *("--webui-port", "0", "--work-dir", str(folder / f"work-{number}"), master),
            )
            for number in range(_WORKERS)
        )
        found = Cluster(software, master, ui, workers, events, s3)

        def is_ready() -> bool:
            try:
                return found.state()["aliveworkers"] == _WORKERS
            except OSError:
                return False

        _wait("the cluster", started, is_ready, folder / "master.log")
        yield found


_PARTS = ("master", "volume", "filer", "s3")


def _home(software: Software) -> dict[str, str]:
    return {"SPARK_HOME": str(software.spark_home)}


@contextmanager
def _running(
    name: str, command: Sequence[str], environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, so that Ctrl-C reaches it by us alone."""
    with log.open("ab") as output:
        try:
            process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise NotStartedError(f"{name} does not start: {error}") from error
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(
    name: str, process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path
) -> None:
    give_up_at = time.monotonic() + _START_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > give_up_at:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
            raise NotStartedError(f"{name} does not start. The end of {log}:\n{tail}")
        time.sleep(0.3)


def _free_ports(number: int) -> list[int]:
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
