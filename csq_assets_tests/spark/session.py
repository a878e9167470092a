"""One session of Spark on a cluster, for many requests."""

import json
import os
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from csq_assets.errors import StorageError
from csq_assets.spark.messages import Answer, AuditTable, Place, Request, Work, answer_of, dumped
from csq_assets_tests.spark.cluster import Cluster

REPOSITORY = Path(__file__).parent.parent.parent


class Session:
    """The process that keeps a session of Spark."""

    def __init__(self, running: Cluster, log: Path, conf: Mapping[str, str] | None = None) -> None:
        self._log = log.open("ab")
        # Not by spark-submit itself, which gives its own standard input to nobody.
        submitted = shlex.join([*running.options(conf), "pyspark-shell"])
        self.process = subprocess.Popen(
            [str(running.software.python), str(Path(__file__).with_name("serve.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={
                **os.environ,
                **running.environment,
                "PYTHONPATH": str(REPOSITORY),
                "PYSPARK_SUBMIT_ARGS": submitted,
            },
            text=True,
            start_new_session=True,
        )

    @classmethod
    @contextmanager
    def opened(
        cls, running: Cluster, log: Path, conf: Mapping[str, str] | None = None
    ) -> Iterator["Session"]:
        """A session on the cluster, which is closed however the block ends."""
        session = cls(running, log, conf)
        try:
            yield session
        finally:
            session.close()

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self._log.close()

    def ask(self, **question: Any) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("{"):
                told = json.loads(line)
                if "csq_error" in told:
                    raise StorageError(
                        told["csq_error"]["message"], where=told["csq_error"]["where"]
                    )
                assert "error" not in told, told["error"]
                return told
        raise AssertionError("the session of Spark ended")

    def execute(self, place: Place, work: Work) -> Answer:
        told = self.ask(request=dumped(Request(place, work)))
        return answer_of(work, [told["answer"]])

    def query(self, place: Place, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The columns and rows of a SELECT, which may read from the place's catalog."""
        told = self.ask(sql=sql, request=dumped(Request(place, AuditTable(""))))
        return told["columns"], [tuple(row) for row in told["rows"]]
