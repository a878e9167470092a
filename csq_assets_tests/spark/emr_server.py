"""EMR Serverless as far as a job needs it: its HTTP API, and a command of this machine as cluster."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

APPLICATION = "00f1example"
_JOB = re.compile(
    rf"/applications/{APPLICATION}/jobruns(?:/(?P<job>\w+)(?P<dashboard>/dashboard)?)?"
)
_OF_DRIVER = "spark.emr-serverless.driverEnv."


@dataclass(slots=True)
class EmrServer:
    """`command` executes an entry point, which follows it; `asked` are the parameters of each job."""

    command: Sequence[str]
    environment: Mapping[str, str]
    endpoint: str = ""
    ails: str = ""  # the type of the error that every look at a job gives
    canceled: list[str] = field(default_factory=list[str])
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    jobs: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])

    def start(self, parameters: dict[str, Any]) -> dict[str, Any]:
        submit = parameters["jobDriver"]["sparkSubmit"]
        conf = shlex.split(submit.get("sparkSubmitParameters", ""))
        given = [
            word.removeprefix(_OF_DRIVER).partition("=") for word in conf if _OF_DRIVER in word
        ]
        environment = {
            **os.environ,
            **self.environment,
            **{name: value for name, _, value in given},
        }
        self.asked.append(parameters)
        # The job, like one in AWS, is not this process's to wait for.
        self.jobs.append(
            subprocess.Popen(
                [*self.command, submit["entryPoint"]],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
        return {"applicationId": APPLICATION, "jobRunId": str(len(self.jobs) - 1)}

    def look(self, job: int) -> dict[str, Any]:
        code = self.jobs[job].poll()
        state = "RUNNING" if code is None else "FAILED" if code else "SUCCESS"
        told = f"the entry point ended with {code}"
        return {
            "applicationId": APPLICATION,
            "jobRunId": str(job),
            "state": state,
            "stateDetails": told,
        }


class _Handler(BaseHTTPRequestHandler):
    emr: EmrServer

    def do_GET(self) -> None:
        found = _JOB.fullmatch(self.path)
        if self.path == f"/applications/{APPLICATION}":
            self._answer({"application": {"name": "nightly", "state": "STARTED"}})
        elif found and found["dashboard"]:
            self._answer({"url": "https://console.example.com"})
        elif found and found["job"] and self.emr.ails:
            self._answer({"message": "not now"}, 400, self.emr.ails)
        elif found and found["job"]:
            self._answer({"jobRun": self.emr.look(int(found["job"]))})
        else:
            self._answer({"message": "no such application"}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if _JOB.fullmatch(self.path):
            self._answer(self.emr.start(json.loads(body)))
        else:
            self._answer({"message": "no such application"}, 404)

    def do_DELETE(self) -> None:
        found = _JOB.fullmatch(self.path)
        assert found
        self.emr.canceled.append(found["job"])
        self._answer({"applicationId": APPLICATION, "jobRunId": found["job"]})

    def _answer(
        self, told: Mapping[str, Any], status: int = 200, kind: str = "ResourceNotFoundException"
    ) -> None:
        body = json.dumps(told).encode()
        self.send_response(status)
        if status != 200:
            self.send_header("x-amzn-ErrorType", kind)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
        """Silent."""


@contextmanager
def emr_server(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[EmrServer]:
    """A server with one application, APPLICATION. Jobs that still run at the end are killed."""
    emr = EmrServer(command, environment or {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"emr": emr}))
    emr.endpoint = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield emr
    finally:
        server.shutdown()
        server.server_close()
        for job in emr.jobs:
            job.kill()
            job.wait()
