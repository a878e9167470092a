"""Real servers on this machine that take alerts: a webhook, and a mail server."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(slots=True)
class Webhook:
    """Keeps the JSON that is posted to it, with its path; then calls `on_post`, and answers."""

    port: int = 0
    status: int = 200
    on_post: Callable[[], object] = lambda: None
    posted: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    def taken(self) -> list[tuple[str, Any]]:
        """What was posted since this was last asked."""
        taken, self.posted = self.posted, []
        return taken


@contextmanager
def serve_webhook() -> Iterator[Webhook]:
    webhook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            webhook.posted.append((self.path, json.loads(body)))
            webhook.on_post()
            self.send_response(webhook.status)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        webhook.port = server.server_address[1]
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield webhook
        finally:
            server.shutdown()
            thread.join()


@dataclass(slots=True)
class Mailbox:
    """Keeps the mails that its server takes."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


@contextmanager
def serve_mail() -> Iterator[Mailbox]:
    listening = socket.create_server(("127.0.0.1", 0))
    mailbox = Mailbox(listening.getsockname()[1])

    class OnFreePort(Controller):
        def _create_server(self) -> Any:
            return self.loop.create_server(self._factory_invoker, sock=listening)

    controller = OnFreePort(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
