"""The report in Chromium: it asks for nothing, says nothing to the console, and can be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Route

from csq_assets.dataconnect.check_registry import Severity
from csq_assets.dataconnect.sync_report import SyncReport
from csq_assets.report.page import render_page
from csq_assets_tests.report.states import day, decoded, drift, failed, report_on, state_of

pytestmark = pytest.mark.ui

HOSTILE = (
    '<script>alert(1)</script><img src="https://example.com/x" onerror=alert(1)>\n' + "n" * 999
)
# Of all texts, the least contrast with the page behind them.
LEAST_CONTRAST = """() => {
  const luminance = color => {
    const [r, g, b] = color.match(/[0-9.]+/g).map(Number).map(
      part => part / 255 <= .04045 ? part / 3294.6 : ((part / 255 + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const paper = luminance(getComputedStyle(document.body).backgroundColor);
  return Math.min(...[...document.body.querySelectorAll("*")]
    .filter(one => [...one.childNodes].some(node => node.nodeType == 3 && node.data.trim()))
    .map(one => {
      const style = getComputedStyle(one);
      const ink = luminance(one instanceof SVGElement ? style.fill : style.color);
      return (Math.max(ink, paper) + .05) / (Math.min(ink, paper) + .05);
    }));
}"""
COLORS = """() => [
  getComputedStyle(document.body).backgroundColor,
  ...[...document.querySelectorAll("svg [fill^=var]")].map(one => getComputedStyle(one).fill)
]"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything in it, and with names that would like to be code."""
    names = ("users", HOSTILE)
    state = state_of(
        [
            [
                *(decoded(name, 5, full_resync=True) for name in names),
                decoded("user_migrations", 2),
            ],
            [decoded(name, 2, findings=[drift(Severity.WARN, f"adds {name}")]) for name in names],
            [failed(name, f"table {name}: truncated") for name in names],
            [decoded(name, 3) for name in names],
        ],
        [
            SyncReport(day(2, 4), day(2, 5), "succeeded", day(3)),
            SyncReport(day(3, 4), day(3, 5), HOSTILE, day(4), HOSTILE),
        ],
    )
    path = tmp_path_factory.mktemp("report") / "csq-report.html"
    path.write_text(render_page(report_on(state)))
    return path


@contextmanager
def opened(
    browser: Browser, file: Path, scheme: Literal["light", "dark"], width: int
) -> Iterator[Page]:
    """The page; whatever it asks for, says or shows in a dialog fails the test."""
    told: list[str] = []

    def fail(route: Route) -> None:
        told.append(f"asks for {route.request.url}")
        route.abort()

    with browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 800}
    ) as context:
        page = context.new_page()
        page.route(lambda url: url != file.as_uri(), fail)
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(dialog.message))
        page.goto(file.as_uri(), wait_until="load")
        page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        yield page
    assert told == []


def test_it_can_be_read_in_light_and_in_dark_charts_too(browser: Browser, file: Path) -> None:
    colors = {}
    for scheme in ("light", "dark"):
        with opened(browser, file, scheme, 1280) as page:
            assert page.evaluate(LEAST_CONTRAST) >= 4.5
            colors[scheme] = page.evaluate(COLORS)
    assert len(colors["light"]) == len(colors["dark"]) > 20
    assert all(light != dark for light, dark in zip(colors["light"], colors["dark"], strict=True))


def test_it_fits_a_phone(browser: Browser, file: Path) -> None:
    with opened(browser, file, "light", 400) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        widths = page.locator("svg").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().right)"
        )
        assert max(widths) <= 400


def test_it_is_told_to_those_who_do_not_see_it(browser: Browser, file: Path) -> None:
    with opened(browser, file, "light", 1280) as page:
        tree = page.locator("body").aria_snapshot()
    for element in (
        'heading "3 problems need action." [level=1]',
        'heading "History" [level=2]',
        'img "Rows delivered: dumps 1 to 4"',
        'img "Rows by dump of users"',
        'rowheader "users"',
        'columnheader "Newest dump"',
    ):
        assert element in tree
