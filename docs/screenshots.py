"""Takes the pictures in docs/images from a UI of its own, over the sample export: make screenshots.

Chromium is the system's, or the one that the variable CHROMIUM names.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from playwright.sync_api import Page, expect, sync_playwright

IMAGES = Path(__file__).with_name("images")
BIN = Path(sys.executable).parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# All assets at once would be too small to read.
SELECTION = '+key:"csq/current/pageviews" or +key:"csq/current/users"'
SHOWN = '["checks", "status", "kind-tag", "partitions"]'  # of each asset
MARGIN = 16
SHOWS_WITHIN_MS, SERVES_WITHIN = 60_000, 120


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """`dagster dev` over a sample export that is decoded and checked; gives its address."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CSQ_")}
    environment = {**own, "DAGSTER_HOME": str(home)}

    def run(*command: str) -> None:
        subprocess.run([BIN / "csq", *command], cwd=home, env=environment, check=False)

    run("init", ".")
    run("sample", "data/export")
    run("sync")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [BIN / "dagster", "dev", "--host", "127.0.0.1", "--port", port]
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, cwd=home, env=environment) as process:
        try:
            _await(f"{url}/server_info")
            yield url
        finally:
            process.send_signal(signal.SIGINT)


def _await(url: str) -> None:
    """Raises URLError where it does not answer in time."""
    until = time.monotonic() + SERVES_WITHIN
    while True:
        try:
            urlopen(url).close()  # noqa: S310  # an http address
        except URLError:
            if time.monotonic() > until:
                raise
            time.sleep(1)
        else:
            return


def take_lineage(page: Page) -> None:
    page.set_viewport_size({"width": 2800, "height": 2600})
    page.goto(f"/asset-groups~{quote(SELECTION, safe='')}/")
    page.get_by_text("raw", exact=True).last.wait_for()
    page.mouse.click(1800, 300, button="right")
    page.get_by_role("menuitem", name="Expand all groups").click()
    page.get_by_text("pageviews", exact=True).last.wait_for()
    page.wait_for_timeout(5000)  # the graph moves, and its nodes fetch their state
    page.mouse.move(1500, 5)
    boxes = [node.bounding_box() for node in page.query_selector_all("svg foreignObject")]
    boxes = [box for box in boxes if box and box["width"] > MARGIN]
    left = min(box["x"] for box in boxes) - MARGIN
    top = min(box["y"] for box in boxes) - MARGIN
    right = max(box["x"] + box["width"] for box in boxes) + MARGIN
    bottom = max(box["y"] + box["height"] for box in boxes) + MARGIN
    page.screenshot(
        path=IMAGES / "lineage.png",
        clip={"x": left, "y": top, "width": right - left, "height": bottom - top},
    )


def take_partitions(page: Page) -> None:
    page.goto("/assets/csq/raw/users?view=partitions&partition=1004")
    expect(page.get_by_text("users/dump_id=1004/").first).to_be_visible()
    page.screenshot(path=IMAGES / "partitions.png")


def take_check(page: Page) -> None:
    page.goto("/assets/csq/raw/users?view=checks&checkDetail=column_drift")
    views = page.get_by_role("tablist").filter(has_text="Execution history")
    views.get_by_role("tab", name="Partitions").click()
    page.get_by_text("999", exact=True).locator("visible=true").last.click()
    expect(page.get_by_text('dump 999 adds "plan"')).to_be_visible()
    page.screenshot(path=IMAGES / "check.png")


def take_run(page: Page) -> None:
    page.goto("/runs")
    page.get_by_role("link").filter(has_text="csq_raw").first.wait_for()
    page.locator('a[href^="/runs/"]').filter(has_text="").last.click()
    expect(page.get_by_text("csq__raw__users").first).to_be_visible()
    page.get_by_text("RUN_SUCCESS").first.wait_for()
    page.screenshot(path=IMAGES / "run.png")


def main() -> None:
    expect.set_options(timeout=SHOWS_WITHIN_MS)
    with (
        tempfile.TemporaryDirectory(prefix="csq-") as home,
        serving(Path(home)) as url,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        for take in (take_lineage, take_partitions, take_check, take_run):
            page = browser.new_page(base_url=url, viewport={"width": 1500, "height": 1000})
            page.set_default_timeout(SHOWS_WITHIN_MS)
            page.add_init_script(f"localStorage.setItem('asset-node-facets', '{SHOWN}')")
            take(page)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
