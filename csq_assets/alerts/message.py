"""News in words: one message for a pass."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from csq_assets.alerts.situation import News
from csq_assets.dataconnect.check_registry import Severity
from csq_assets.errors import printable
from csq_assets.masking import masked

_SHOWN = 5  # of each kind


class Tone(StrEnum):
    """How a message is meant: apprise's names."""

    FAILURE = "failure"
    WARNING = "warning"
    SUCCESS = "success"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text, in paragraphs."""

    title: str
    body: str
    tone: Tone


def compose(news: News, export_url: str, ui_url: str | None) -> Message:
    """Say the news: what, where, since when, what to do, and where to look. No secret shows."""
    body = "\n\n".join(_paragraphs(news, export_url, ui_url))
    return Message(f"csq_assets: {_title(news)}", masked(body), _tone(news))


def _title(news: News) -> str:
    counts = (
        (len(news.begun), "new problem", "new problems"),
        (len(news.over), "repaired", "repaired"),
        (len(news.tables), "new table", "new tables"),
    )
    return ", ".join(
        f"{number} {one if number == 1 else more}" for number, one, more in counts if number
    )


def _tone(news: News) -> Tone:
    if any(one.severity is Severity.ERROR for one in news.begun):
        return Tone.FAILURE
    if news.begun:
        return Tone.WARNING
    return Tone.SUCCESS if news.over else Tone.INFO


def _paragraphs(news: News, export_url: str, ui_url: str | None) -> Iterator[str]:
    for one in news.begun[:_SHOWN]:
        lines = (
            f"{one.severity} {printable(one.subject)}: {printable(one.said)}",
            f"Since {_time(one.since)}. {one.remedy}".rstrip(),
            _link(ui_url, one.page),
        )
        yield "\n".join(filter(None, lines))
    if (more := len(news.begun) - _SHOWN) > 0:
        yield f"… and {more} more: csq status lists them all."
    if news.over:
        lines = [
            f"Repaired: {printable(one.subject)} (since {_time(one.since)})"
            for one in news.over[:_SHOWN]
        ]
        more = len(news.over) - _SHOWN
        yield "\n".join([*lines, *([f"… and {more} more"] if more > 0 else [])])
    if news.tables:
        shown = ", ".join(map(printable, news.tables[:_SHOWN]))
        more = len(news.tables) - _SHOWN
        yield (
            f"New in schema csq, once decoded: {shown}{f', and {more} more' if more > 0 else ''}. "
            "Put what is not wanted into CSQ_SKIP_TABLES."
        )
    still = f" {news.standing} told before still stand." if news.standing else ""
    yield "\n".join(filter(None, (f"Export: {export_url}.{still}", _link(ui_url, "assets"))))


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC" if time else "unknown"


def _link(ui_url: str | None, page: str) -> str:
    return f"{ui_url}/{page}" if ui_url else ""
