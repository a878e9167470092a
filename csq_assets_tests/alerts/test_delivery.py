"""What arrives at a webhook, at Slack and by mail; what is said where nothing arrives."""

import logging
import sys
import time
from dataclasses import replace

import pytest
from apprise.plugins.slack import NotifySlack
from pydantic import SecretStr

from csq_assets.alerts.delivery import Receiver, open_receivers
from csq_assets.alerts.message import Message, Tone
from csq_assets.errors import SettingsError
from csq_assets_tests.alerts.receivers import Mailbox, Webhook

MESSAGE = Message(
    "1 <new> problem", "ERROR *users* <!channel> & é:\nhttps://ui/x?y=1&z=_2_", Tone.FAILURE
)
SLACK = "slack://TSENTINEL/BSENTINEL/SENTINELsentinelSENTINEL"


def open_one(address: str) -> Receiver:
    (receiver,) = open_receivers([SecretStr(address)])
    return receiver


def test_a_webhook_gets_json(webhook: Webhook) -> None:
    receiver = open_one(f"json://me:SENTINEL@{webhook.place}/hooks/SENTINEL")
    assert (receiver.name, receiver.deliver(MESSAGE)) == ("json", None)
    assert webhook.taken() == [
        (
            "/hooks/SENTINEL",
            {
                "version": "1.0",
                "title": "1 <new> problem",
                "message": "ERROR *users* <!channel> & é:\nhttps://ui/x?y=1&z=_2_",
                "attachments": [],
                "type": "failure",
            },
        )
    ]


def test_slack_gets_text_in_which_nothing_is_a_command(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(NotifySlack, "webhook_url", f"http://{webhook.place}/services")
    before = time.time()
    assert open_one(f"{SLACK}/#alerts").deliver(MESSAGE) is None
    ((path, payload),) = webhook.taken()
    assert path == "/services/TSENTINEL/BSENTINEL/SENTINELsentinelSENTINEL"
    assert before <= payload["attachments"][0].pop("ts") <= time.time()
    assert payload == {
        "channel": "#alerts",
        "mrkdwn": False,
        "attachments": [
            {
                "title": "1 &lt;new&gt; problem",
                "text": "ERROR *users* &lt;!channel&gt; &amp; é:\nhttps://ui/x?y=1&amp;z=_2_",
                "color": "#A32037",
                "footer": "csq_assets",
            }
        ],
    }


def test_a_mail_is_plain_text(mailbox: Mailbox) -> None:
    address = (
        f"mailto://127.0.0.1:{mailbox.port}?from=csq@example.com&to=ana@example.com,bo@example.com"
    )
    assert open_one(address).deliver(replace(MESSAGE, tone=Tone.SUCCESS)) is None
    found = [
        (
            mail["From"],
            mail["To"],
            mail["Subject"],
            mail.get_content_type(),
            mail.get_content().splitlines(),
        )
        for mail in mailbox.mails
    ]
    text = ["ERROR *users* <!channel> & é:", "https://ui/x?y=1&z=_2_"]
    assert sorted(found) == [
        ("csq@example.com", to, "1 <new> problem", "text/plain", text)
        for to in ("ana@example.com", "bo@example.com")
    ]


def test_what_is_not_delivered_is_said_without_the_address(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.status = 401
    caplog.set_level(logging.DEBUG)
    refused = open_one(f"json://me:SENTINEL@{webhook.place}/SENTINEL?+X-Key=SENTINEL")
    unheard = open_one(
        "mailto://me:SENTINEL@127.0.0.1:1?from=SENTINEL@example.com&to=me@SENTINEL.com"
    )
    assert (refused.deliver(MESSAGE), unheard.deliver(MESSAGE)) == (
        "Failed to send JSON POST notification: Verification Failed., error=401.",
        'Connection error while submitting email to "***"',
    )
    assert "SENTINEL" not in caplog.text + repr([refused, unheard])


def test_receivers_are_named_by_their_schemes_and_in_their_order() -> None:
    addresses = ["json://a", "slack://T1SENTINEL/B1/c", "JSON://b/SENTINEL"]
    receivers = open_receivers([*map(SecretStr, addresses)])
    assert [(one.name, one.service.service_name) for one in receivers] == [
        ("json", "JSON"),
        ("slack", "Slack"),
        ("json 2", "JSON"),
    ]
    assert open_receivers([]) == ()


@pytest.mark.parametrize(
    ("address", "begins"),
    [("slack://SENTINEL!/B/c", "slack"), ("nobody://me:SENTINEL@host", "nobody")],
)
def test_an_address_that_is_not_understood_is_refused(
    address: str, begins: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SettingsError) as refused:
        open_receivers([SecretStr("json://host"), SecretStr(address)])
    assert str(refused.value) == (
        f"setting CSQ_ALERTS: address 2, {begins}://…, is none that apprise understands. "
        "https://appriseit.com/services/ shows how each service is written, for example "
        "jsons://host/path, slack://A/B/C, mailtos://user:password@host?to=ana@example.com."
    )
    assert "SENTINEL" not in caplog.text


def test_without_the_extra_the_remedy_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SettingsError) as refused:
        open_one("json://host")
    assert str(refused.value) == (
        "setting CSQ_ALERTS: apprise, which delivers alerts, is not installed. "
        "Install the extra: pip install 'csq-assets[alerts]'. Or unset CSQ_ALERTS."
    )
