"""News in words."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from csq_assets.alerts.message import Message, Tone, compose
from csq_assets.alerts.situation import Condition, News
from csq_assets.dataconnect.check_registry import Severity

SINCE = datetime(2026, 3, 1, 5, 30, tzinfo=UTC)
FAILED = Condition("dump 12 of csq/raw/users", "truncated. Ask again.", "assets/x?y=1", since=SINCE)
NULLS = Condition(
    "csq/raw/users: keys_not_null",
    "null\nin 1",
    "assets/z",
    Severity.WARN,
    since=SINCE,
    remedy="Ask why.",
)
EXPORT, UI = "s3://acme", "https://ui.example.com"


def test_a_message_says_what_where_since_when_what_to_do_and_where_to_look() -> None:
    news = News(begun=(FAILED, NULLS), over=(FAILED,), tables=("sign_up",), standing=3)
    assert compose(news, EXPORT, UI) == Message(
        "csq_assets: 2 new problems, 1 repaired, 1 new table",
        "ERROR dump 12 of csq/raw/users: truncated. Ask again.\n"
        "Since 2026-03-01 05:30 UTC.\n"
        "https://ui.example.com/assets/x?y=1\n"
        "\n"
        "WARN csq/raw/users: keys_not_null: null\\nin 1\n"
        "Since 2026-03-01 05:30 UTC. Ask why.\n"
        "https://ui.example.com/assets/z\n"
        "\n"
        "Repaired: dump 12 of csq/raw/users (since 2026-03-01 05:30 UTC)\n"
        "\n"
        "New in schema csq, once decoded: sign_up. Put what is not wanted into CSQ_SKIP_TABLES.\n"
        "\n"
        "Export: s3://acme. 3 told before still stand.\n"
        "https://ui.example.com/assets",
        Tone.FAILURE,
    )


@pytest.mark.parametrize(
    ("news", "title", "tone"),
    [
        (News(begun=(NULLS,), over=(FAILED,)), "1 new problem, 1 repaired", Tone.WARNING),
        (News(over=(FAILED, NULLS), tables=("x", "y")), "2 repaired, 2 new tables", Tone.SUCCESS),
        (News(tables=("x",)), "1 new table", Tone.INFO),
    ],
)
def test_the_title_and_the_tone_follow_the_worst_of_it(news: News, title: str, tone: Tone) -> None:
    message = compose(news, EXPORT, None)
    assert (message.title, message.tone) == (f"csq_assets: {title}", tone)


def test_of_many_the_first_are_shown_and_the_rest_is_counted() -> None:
    many = tuple(replace(FAILED, subject=f"dump {number}", said="bad") for number in range(40))
    tables = tuple(f"table_{number}" for number in range(7))
    assert compose(News(many, many[:6], tables), EXPORT, None).body == (
        "".join(f"ERROR dump {number}: bad\nSince 2026-03-01 05:30 UTC.\n\n" for number in range(5))
        + "… and 35 more: csq status lists them all.\n\n"
        + "".join(f"Repaired: dump {number} (since 2026-03-01 05:30 UTC)\n" for number in range(5))
        + "… and 1 more\n\n"
        "New in schema csq, once decoded: table_0, table_1, table_2, table_3, table_4, and 2 more. "
        "Put what is not wanted into CSQ_SKIP_TABLES.\n\n"
        "Export: s3://acme."
    )


def test_a_message_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://me:SENTINEL@127.0.0.1:9000")
    failed = replace(
        FAILED, said="no answer of http://me:SENTINEL@127.0.0.1:9000, user me:SENTINEL"
    )
    message = compose(News((failed,)), "http://you:OTHER@host/x", None)
    assert "SENTINEL" not in message.body
    assert "OTHER" not in message.body
