"""Takes lineage.png from a running UI: .venv/bin/python docs/screenshots.py [URL]

After `make demo`, while `make ui` is up; needs Chromium.
"""

import os
import sys
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import sync_playwright

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:3000"
TARGET = Path(__file__).with_name("images") / "lineage.png"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# All assets at once would be too small to read.
SELECTION = '+key:"csq/current/pageviews" or +key:"csq/current/users"'
SHOWN = '["checks", "status", "kind-tag", "partitions"]'  # of each asset
MARGIN = 16

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
    )
    page = browser.new_page(viewport={"width": 2800, "height": 2600})
    page.add_init_script(f"localStorage.setItem('asset-node-facets', '{SHOWN}')")
    page.goto(f"{URL}/asset-groups~{quote(SELECTION, safe='')}/")
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
        path=TARGET,
        clip={"x": left, "y": top, "width": right - left, "height": bottom - top},
    )
    browser.close()
