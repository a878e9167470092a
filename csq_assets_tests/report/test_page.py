"""The page of a report, as HTML."""

import re
from collections import Counter
from datetime import timedelta
from html.parser import HTMLParser

import pytest

from csq_assets.dataconnect.check_registry import Severity
from csq_assets.dataconnect.sync_report import SyncReport
from csq_assets.report.build import DUMPS_SHOWN, TABLES_SHOWN
from csq_assets.report.page import render_page, say_span
from csq_assets_tests.report.states import (
    day,
    decoded,
    drift,
    failed,
    report_on,
    state_of,
)

VOID = {"meta", "br", "img", "input", "link"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"onmouseover="alert(1)',
    "</style></title><img src=x onerror=alert(1)>",
    "two\nlines\u2028and {{ 7 * 7 }} {% raw %}",
    "\ud800\u202e\x00",
    "n" * 1000,
)


class Page(HTMLParser):
    """What a page has: its elements, their attributes, and all of its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements = Counter[str]()
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data} "

    def values(self, attribute: str) -> list[str]:
        return [value for _, name, value in self.attributes if name == attribute]


def page_with_everything(*names: str, error: str = "no space") -> str:
    """Each of the names as a table, with drift, failures, and a report that failed."""
    state = state_of(
        [
            [
                *(decoded(name, 5, full_resync=True) for name in names),
                decoded("user_migrations", 2),
            ],
            [decoded(name, 2, findings=[drift(Severity.WARN, f"adds {name}")]) for name in names],
            [failed(name, f"table {name}: truncated") for name in names],
        ],
        [SyncReport(day(3, 4), day(3, 5), error, day(4), error)],
    )
    return render_page(report_on(state))


def test_the_page_is_whole_and_asks_for_nothing() -> None:
    html = page_with_everything("users", "clicks")
    page = Page(html)
    assert html.lstrip().startswith("<!DOCTYPE html>")
    assert page.open == []
    assert {"script", "img", "iframe", "base", "object", "use"} & set(page.elements) == set()
    assert {"src", "srcset", "xlink:href", "id"} & {name for _, name, _ in page.attributes} == set()
    icon, ui = page.values("href")
    assert ui == "http://dagster:3000"
    assert icon.startswith("data:image/svg+xml,")
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert policy in page.values("content")
    assert "url(" not in html
    assert "@import" not in html


def test_the_page_says_what_is_wrong_and_what_to_do() -> None:
    text = Page(page_with_everything("users")).text
    assert "2 problems need action. Data Connect, 2026-03-10 12:00 UTC" in text
    for said in (
        "The last sync of Contentsquare, 2026-03-03 05:00 UTC: no space .",
        "The next one was expected 2026-03-04 05:00 UTC, 6 days ago .",
        "Dumps 3 Tables 2 Rows now 9 Users merged 6",
        "users ERROR failed, dump 3 table users: truncated. Last tried 2026-03-10 11:00 UTC.",
        'csq/sync_reports ERROR sync_succeeded 1.json says "no space": no space. Look at the sync',
        "1.json 2026-03-03 05:00 UTC no space 60.0 no space",
        "2 2026-03-02 05:00 UTC 2 0 0 1 0",
        "users 7",
    ):
        assert said in text, said


def test_every_chart_is_told_in_words_and_in_a_table() -> None:
    page = Page(page_with_everything("users", "clicks"))
    labels = [
        value for tag, name, value in page.attributes if name == "aria-label" and tag == "div"
    ]
    assert page.elements["svg"] == page.values("role").count("img") == 7
    assert sorted(label for label in labels if not label.startswith("Rows by dump of")) == [
        "Changed columns: dumps 1 to 3",
        "Dumps in numbers",
        "Rows by table and dump",
        "Rows delivered: dumps 1 to 3",
        "Syncs in numbers",
        "Syncs of Contentsquare: 1, of which 1 failed",
        "User migrations: dumps 1 to 3",
    ]
    assert page.elements["details"] == 3


def test_every_color_of_a_chart_is_one_of_the_page() -> None:
    html = page_with_everything("users", "clicks")
    colors = {*Page(html).values("fill"), *Page(html).values("stroke")} - {"none", "transparent"}
    assert [color for color in colors if not color.startswith("var(--")] == []
    light, dark = (
        set(re.findall(r"--(\w+): ", block))
        for block in re.findall(r":root {(.*?)}", html, re.DOTALL)
    )
    assert {*re.findall(r"var\(--(\w+)\)", html)} == light == dark


def test_a_page_on_nothing_says_so() -> None:
    page = Page(render_page(report_on(state_of([]))))
    assert "No dump was seen yet. No sync report was seen. Run csq sync." in page.text
    assert "Dumps 0 Tables 0 Rows now 0 Users merged 6" in page.text
    assert (page.elements["section"], page.elements["svg"], page.open) == (0, 0, [])


def test_names_and_errors_are_text_whatever_they_hold() -> None:
    plain = Page(page_with_everything(*(f"t{number}" for number in range(len(HOSTILE)))))
    html = page_with_everything(*HOSTILE, error="<b>\n" + HOSTILE[2])
    page = Page(html)
    assert (page.elements, page.open) == (plain.elements, [])
    assert {name for _, name, _ in page.attributes} == {name for _, name, _ in plain.attributes}
    assert html.encode()  # half a surrogate pair could not be
    for said in (
        "<script>alert(1)</script>",
        r"two\nlines\u2028and {{ 7 * 7 }} {% raw %}",
        r"\ud800\u202e\x00",
        f"{'n' * 32}…{'n' * 32}",
    ):
        assert said in page.text
    assert "n" * 1000 in page.values("title")


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_PG_PASSWORD", "S3NTINEL&more")
    html = page_with_everything(
        "users", error="no route to postgresql://csq:hunter22@db, S3NTINEL&more"
    )
    assert "no route to postgresql://***@db, ***" in html
    assert not [secret for secret in ("S3NTINEL", "hunter22") if secret in html]


def test_the_largest_page_can_be_mailed() -> None:
    tables = [
        decoded(f"{number}{'é' * 1000}", number, findings=[drift(Severity.WARN, "x" * 9000)])
        for number in range(TABLES_SHOWN + 260)
    ]
    state = state_of(
        [tables] * (DUMPS_SHOWN + 1), [SyncReport(day(1), day(2), "failed", day(3), "x" * 9000)]
    )
    html = render_page(report_on(state))
    assert len(html.encode()) < 1_000_000
    text = Page(html).text
    assert "And 260 others." in text
    assert "And 18,280 others." in text


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(hours=47, minutes=59), "1 day"),
        (timedelta(hours=-5), "5 hours"),
        (timedelta(days=4000), "4,000 days"),
    ],
)
def test_a_span_is_told_in_its_largest_unit(span: timedelta, said: str) -> None:
    assert say_span(span) == said
