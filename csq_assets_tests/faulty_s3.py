"""moto's S3 behind a proxy that answers some requests itself, as a faulty server would."""

import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import pytest

from csq_assets.errors import CsqError


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered. `length` is what Content-Length says: the body's if None, nothing if -1. Or the
    body is sent in chunks, of which the last one is missing where it is `cut`. With `instead`, the
    connection is reset or closed without an answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    chunked: Literal["", "whole", "cut"] = ""
    instead: Literal["", "reset", "close"] = ""


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `is_listing`: of objects, by ListObjectsV2."""

    method: str
    path: str
    headers: Mapping[str, str]

    @property
    def is_listing(self) -> bool:
        return "list-type=2" in self.path


Twist: TypeAlias = Callable[[Answer], Answer]  # of what moto has answered
Fault: TypeAlias = Callable[[Request], Answer | Twist | None]


def error(status: int, code: str, message: str = "It says so.") -> Answer:
    """An error as S3 spells it."""
    return Answer(
        status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    )


def hanging(place: str, released: Event) -> Fault:
    """Whoever reads an object there gets no answer until it is released."""

    def hang(request: Request) -> None:
        if request.method == "GET" and request.path.endswith(place):
            released.wait()

    return hang


def _framing(answer: Answer) -> Mapping[str, str]:
    if answer.chunked:
        return {"Transfer-Encoding": "chunked"}
    size = len(answer.body) if answer.length is None else answer.length
    return {"Content-Length": str(size)} if size >= 0 else {}


def _chunks(answer: Answer) -> bytes:
    """The body in two chunks, as HTTP frames them, and what ends them."""
    half = len(answer.body) // 2
    parts = filter(None, (answer.body[:half], answer.body[half:]))
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return framed + (b"0\r\n\r\n" if answer.chunked == "whole" else b"")


PAGES = (
    Answer(200, b"<html><head><title>Sign in</title></head><body/></html>"),
    Answer(
        200, b'<!doctype html><html lang=en><meta charset="utf-8"><title>Console</title></html>'
    ),
    Answer(200, b'{"status": "ok"}'),
    Answer(200),
    Answer(302, b"Sign in", {"Location": "/login"}),
)


@dataclass(slots=True)
class FaultyS3:
    """`fault` gives the answer to a request, what becomes of moto's, or None where moto is to answer
    it."""

    endpoint: str
    fault: Fault = lambda _: None
    requests: list[Request] = field(default_factory=list)

    def always(self, answer: Answer) -> None:
        self.fault = lambda _: answer


@contextmanager
def serve_faulty_s3(behind: str) -> Iterator[FaultyS3]:
    """Serve on a free port; `behind` is the address of moto's server."""
    netloc = urlsplit(behind).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            request = Request(self.command, self.path, dict(self.headers))
            faulty.requests.append(request)
            try:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            except ConnectionError:  # whoever asked has ended
                self.close_connection = True
                return
            fault = faulty.fault(request)
            answer = fault if isinstance(fault, Answer) else self._ask_moto(body)
            answer = fault(answer) if callable(fault) else answer
            self.close_connection = True
            if answer.instead:
                if answer.instead == "reset":  # what is not sent is thrown away, with a RST
                    lingers = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingers)
                self.connection.close()
                return
            self.send_response(answer.status)
            for name, value in {**answer.headers, **_framing(answer)}.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            with suppress(ConnectionError):  # whoever asked has ended
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(_chunks(answer) if answer.chunked else answer.body)

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815  # the server's names

        def _ask_moto(self, body: bytes) -> Answer:
            moto = HTTPConnection(netloc)
            moto.request(self.command, self.path, body, dict(self.headers))
            response = moto.getresponse()
            headers = {
                name: value
                for name, value in response.getheaders()
                if name.lower() not in ("content-length", "connection", "transfer-encoding")
            }
            length = response.getheader("Content-Length")
            answer = Answer(
                response.status, response.read(), headers, int(length) if length else None
            )
            moto.close()
            return answer

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    faulty = FaultyS3(f"http://127.0.0.1:{server.server_port}")
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield faulty
    finally:
        server.shutdown()
        server.server_close()


def refusal(reach: Callable[[], object]) -> CsqError:
    """The error, which may not pass on a secret with its cause."""
    with pytest.raises(CsqError) as refused:
        reach()
    assert refused.value.__cause__ is None  # the SDK's own text, which Dagster would record
    assert refused.value.__context__ is None or refused.value.__suppress_context__
    return refused.value
