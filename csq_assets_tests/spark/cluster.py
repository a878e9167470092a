"""A standalone cluster of Spark and an S3 server on this machine, for as long as somebody needs them.

All of it comes from the environment that `requirements.txt` describes, listens on 127.0.0.1 alone, and
keeps its files in one folder. What is started is stopped, by its process id, however the block ends.
"""

import json
import shlex
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import running, wait_for
from benchmarks.seaweedfs import free_ports
from csq_assets_tests.spark.s3 import S3, s3_server

_WORKERS = 2
_APPLICATIONS = 3  # at a time: each has an executor of one core on each worker
_AWS_JARS = (
    "hadoop-aws-3.3.3.jar",
    "aws-java-sdk-core-1.12.382.jar",
    "aws-java-sdk-dynamodb-1.12.382.jar",
    "aws-java-sdk-kms-1.12.382.jar",
    "aws-java-sdk-s3-1.12.382.jar",
    "aws-java-sdk-sts-1.12.382.jar",
    "joda-time-2.9.9.jar",
)
_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# Tables are tiny: little is compiled for them, and few tasks are enough.
_CONF = {
    "spark.cores.max": str(_WORKERS),
    "spark.default.parallelism": "2",
    "spark.driver.extraJavaOptions": _JAVA,
    "spark.driver.memory": "768m",
    "spark.executor.cores": "1",
    "spark.executor.extraJavaOptions": _JAVA,
    "spark.executor.memory": "640m",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.maxPlanStringLength": "1000",  # logs would have every plan in full
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.ui.explainMode": "simple",
    "spark.ui.enabled": "false",  # the master has one that lasts
}


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
class Cluster:
    """A master and its workers, and an S3 server. `scratch` is a folder for what jobs spill."""

    software: Software
    master: str
    ui: str
    workers: tuple[subprocess.Popen[bytes], ...]
    s3: S3
    scratch: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a process that submits jobs needs."""
        return {
            **_home(self.software),
            **self.s3.environment,
            "PYSPARK_PYTHON": str(self.software.python),
            "SPARK_LOCAL_DIRS": str(self.scratch),
            "SPARK_LOCAL_IP": "127.0.0.1",
        }

    def options(self, conf: Mapping[str, str] | None = None) -> list[str]:
        """The options of `spark-submit`, with more settings of Spark."""
        jars = ":".join(map(str, self.software.jars))  # where they are, for nobody fetches them
        known = {
            **_CONF,
            **self.s3.conf,
            "spark.driver.extraClassPath": jars,
            "spark.executor.extraClassPath": jars,
            **(conf or {}),
        }
        return [
            *("--master", self.master),
            *(word for name, value in known.items() for word in ("--conf", f"{name}={value}")),
        ]

    @property
    def submit(self) -> str:
        """The command for `CSQ_SPARK_SUBMIT`."""
        return self.submit_with({})

    def submit_with(self, conf: Mapping[str, str]) -> str:
        """The same with more settings of Spark."""
        program = self.software.spark_home / "bin" / "spark-submit"
        return shlex.join([str(program), *self.options(conf)])


@contextmanager
def cluster(software: Software, folder: Path) -> Iterator[Cluster]:
    """An S3 server, a master and two workers, for a few applications at a time. Raises
    NotStartedError."""
    scratch = folder / "scratch"
    scratch.mkdir(parents=True)
    with ExitStack() as block:
        port, ui_port = free_ports(2)
        master, ui = f"spark://127.0.0.1:{port}", f"http://127.0.0.1:{ui_port}"
        own = {
            **_home(software),
            "SPARK_DAEMON_JAVA_OPTS": _JAVA,
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_LOCAL_DIRS": str(scratch),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_NO_DAEMONIZE": "1",
        }

        def start(name: str, *words: str) -> subprocess.Popen[bytes]:
            program = str(software.spark_home / "bin" / "spark-class")
            command = [program, f"org.apache.spark.deploy.{words[0]}", "--host", "127.0.0.1"]
            log = folder / f"{name}.log"
            return block.enter_context(running(name, [*command, *words[1:]], own, log))

        started = start(
            "master", "master.Master", "--port", str(port), "--webui-port", str(ui_port)
        )
        s3 = block.enter_context(s3_server(software.weed, folder / "s3"))
        # A worker that finds no master tries again only after many seconds.
        wait_for("the master", started, lambda: _state(ui) is not None, folder / "master.log")
        workers = tuple(
            start(
                *(f"worker-{number}", "worker.Worker", "--cores", str(_APPLICATIONS)),
                *("--memory", f"{_APPLICATIONS}g", "--webui-port", "0"),
                *("--work-dir", str(folder / f"work-{number}"), master),
            )
            for number in range(_WORKERS)
        )
        are_ready = lambda: (_state(ui) or {}).get("aliveworkers") == _WORKERS  # noqa: E731
        wait_for("the cluster", started, are_ready, folder / "master.log")
        yield Cluster(software, master, ui, workers, s3, scratch)


def _state(ui: str) -> dict[str, Any] | None:
    """What the master says of workers and applications, once it answers."""
    try:
        with urllib.request.urlopen(f"{ui}/json/") as answer:  # noqa: S310  # our own address
            return json.load(answer)
    except OSError:
        return None


def _home(software: Software) -> dict[str, str]:
    return {"SPARK_HOME": str(software.spark_home)}
