"""Servers that take alerts."""

from collections.abc import Iterator

import pytest

from csq_assets_tests.alerts.receivers import Mailbox, Webhook, serve_mail, serve_webhook


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with serve_webhook() as served:
        yield served


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with serve_mail() as served:
        yield served
