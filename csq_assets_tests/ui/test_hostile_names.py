"""Names that are markup, control characters, long, or paths, as the UI shows them: nothing of them is
rendered, and nobody is asked for anything."""

import json
import time
import urllib.request
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Page, Request, expect

from csq_assets.dataconnect.tables import current_asset, raw_asset
from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.hostile_names import (
    CONTROL_CHARACTERS,
    CONTROLS,
    LENGTHS,
    MARKUP,
    TRAVERSALS,
)
from csq_assets_tests.ui.conftest import Site

pytestmark = [pytest.mark.ui, pytest.mark.slow]

TAKEN_WITHIN_SECONDS = 200  # some ticks of the sensor, on a busy machine
LONG = LENGTHS[1]
NAMES = (
    *MARKUP,
    *CONTROLS,
    LONG,
    TRAVERSALS[0],
    "www.example.com/x <mailto:a@example.com>",
    "`` ` `` **bold** ~~gone~~ __under__",
)
# What the names above would become, and what csq and Dagster never show there.
RENDERED = (
    "img[src*='example.com'], img[src='x'], a[href*='example.com'], a[href^='mailto'],"
    "a[href^='javascript'], [onload], [onerror], .dagster-markdown :is(h1, strong, em, del, b, svg)"
)
MARKDOWN = ".dagster-markdown"


@pytest.fixture(scope="module", autouse=True)
def delivered(site: Site) -> None:
    """Tables of these names; their columns and values are called so, too, and change in a dump."""
    platform = site.platform
    rows = [{"user_id": 1, **{name.lower(): name for name in NAMES}}]
    for dump_id, more in ((21, {}), (22, {"<i>new</i> [a](https://example.com/y)": "x"})):
        changed = [{**row, **more} for row in rows]
        key = f"sync_{dump_id}/all.avro"  # not in a folder of the table: most names are too long
        platform.export.put(key, encode_avro(changed))
        file = AvroFile(changed, written=False, listed_as=platform.export.path(key))
        platform.deliver(dump_id, tables={name: [file] for name in ("users", *NAMES)})
    platform.sync()
    until = time.monotonic() + TAKEN_WITHIN_SECONDS
    while raw_asset(NAMES[-1]) not in defined(site):  # the sensor has the code location loaded anew
        assert time.monotonic() < until
        time.sleep(1)


@pytest.fixture
def page(page: Page, site: Site) -> Iterator[Page]:
    """A page of the site that asks nobody else for anything, and opens no dialog."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if urlsplit(request.url).netloc not in (urlsplit(site.url).netloc, ""):
            asked.append(request.url)

    page.on("request", note)
    page.on("dialog", lambda dialog: asked.append(f"a dialog: {dialog.message}"))
    yield page
    assert asked == []


@pytest.mark.parametrize("name", ["users", *NAMES])
def test_nothing_of_a_name_is_rendered(page: Page, name: str) -> None:
    for asset in (raw_asset(name), current_asset(name)):
        page.goto(f"/assets/{quote(asset)}?view=overview")
        expect(page.locator(MARKDOWN).first).to_be_visible()
        assert rendered(page) == []
        assert controls_in_markdown(page) == []
        page.goto(f"/assets/{quote(asset)}?view=events")
        expect(page.get_by_text("Materialized").first).to_be_visible()
        assert rendered(page) == []
        assert controls_in_markdown(page) == []


def test_nothing_of_a_column_is_rendered_by_checks(page: Page) -> None:
    page.goto("/assets/csq/raw/users?view=checks&checkDetail=column_drift")
    expect(page.get_by_text("dump 22 adds").first).to_be_visible()
    assert rendered(page) == []
    page.get_by_text("[Show Markdown]").last.click()
    expect(page.get_by_role("dialog").locator("table")).to_be_visible()
    assert rendered(page) == []


def defined(site: Site) -> set[str]:
    """The assets that the code location has."""
    query = json.dumps({"query": "{assetNodes{assetKey{path}}}"}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{site.url}/graphql", query, headers)  # noqa: S310
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        nodes = json.load(answer)["data"]["assetNodes"]
    return {"/".join(node["assetKey"]["path"]) for node in nodes}


def controls_in_markdown(page: Page) -> list[str]:
    """The texts that csq writes, where a control character is in them."""
    found = page.locator(MARKDOWN).all_inner_texts()
    return [text for text in found if CONTROL_CHARACTERS.search(text)]


def rendered(page: Page) -> list[str]:
    """The elements that a name became."""
    return [str(found.evaluate("one => one.outerHTML")) for found in page.locator(RENDERED).all()]
