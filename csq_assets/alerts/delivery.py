"""Delivers messages by apprise, which knows webhooks, Slack, e-mail and a hundred services more.

An address holds secrets: nothing of it is ever said but its scheme.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pydantic import SecretStr

from csq_assets.alerts.message import Message
from csq_assets.errors import SettingsError, printable
from csq_assets.setting_values import scheme_of

if TYPE_CHECKING:
    import apprise  # of an extra, and a second to import: each function does

# ruff: noqa: PLC0415

_TIMEOUT_SECONDS = 15
_SHORTEST = 4  # parts of an address that are hidden
_SETTING = {"setting": "CSQ_ALERTS"}


@dataclass(frozen=True, slots=True)
class Receiver:
    """One service that takes messages. `name` is the scheme of its address, from the second one of a
    scheme on with its number: it stays when a token or a password is replaced."""

    name: str
    address: SecretStr
    service: "apprise.NotifyBase"

    def deliver(self, message: Message) -> str | None:
        """Send the message; gives why it could not be delivered, or None."""
        import apprise

        sender = apprise.Apprise(self.service)
        with (
            _quiet_logs(),
            sender.notify(
                message.body,
                title=message.title,
                notify_type=message.tone.value,
                body_format=apprise.NotifyFormat.TEXT,
                timeout=_TIMEOUT_SECONDS,
            ) as result,
        ):
            if result:
                return None
            reasons = [entry.message for entry in result.logs()]
        return printable(self._hidden("; ".join(reasons))) or "it did not answer in time"

    def _hidden(self, text: str) -> str:
        rest = self.address.get_secret_value().partition("://")[2]
        parts = {
            spelled for part in re.split(r"[/:@?&=#,]+", rest) for spelled in (part, unquote(part))
        }
        for part in sorted(parts, key=len, reverse=True):
            if len(part) >= _SHORTEST:
                text = text.replace(part, "***")
        return text


def require_apprise() -> None:
    """Raise SettingsError where the extra is not installed."""
    if find_spec("apprise") is None:
        raise SettingsError(
            "apprise, which delivers alerts, is not installed",
            where=_SETTING,
            remedy="Install the extra: pip install 'csq-assets[alerts]'. Or unset CSQ_ALERTS.",
        )


def open_receivers(addresses: Sequence[SecretStr]) -> tuple[Receiver, ...]:
    """The services at these addresses; nothing is sent.

    Raises SettingsError where one is not understood, or the extra is not installed.
    """
    if not addresses:
        return ()
    require_apprise()
    return tuple(_open_all(addresses))


def _open_all(addresses: Sequence[SecretStr]) -> Iterator[Receiver]:
    import apprise

    # Without pictures: they would be loaded from a server of somebody else.
    asset = apprise.AppriseAsset(
        app_id="csq_assets",
        app_desc="csq_assets",
        image_url_mask="",
        image_url_logo="",
        language="en",
    )
    used: list[str] = []
    for address in addresses:
        url = address.get_secret_value()
        used.append(begin := scheme_of(address))
        name = begin if used.count(begin) == 1 else f"{begin} {used.count(begin)}"
        with _quiet_logs():
            service = apprise.Apprise.instantiate(url, asset=asset)
        if service is None:
            raise SettingsError(
                f"address {len(used)}, {begin}://…, is none that apprise understands",
                where=_SETTING,
                remedy="https://appriseit.com/services/ shows how each service is written, for example "
                "jsons://host/path, slack://A/B/C, mailtos://user:password@host?to=ana@example.com.",
            )
        yield Receiver(name, address, service)


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Addresses reach no log: apprise warns of tokens that it refuses, urllib3 tells each path."""
    ours, theirs = logging.getLogger("apprise"), logging.getLogger("urllib3")
    before = ours.propagate, theirs.level
    ours.propagate = False
    theirs.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.propagate = before[0]
        theirs.setLevel(before[1])
