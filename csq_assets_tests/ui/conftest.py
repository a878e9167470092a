"""A running UI with its daemon over an export of its own, and Chromium to look at it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from csq_assets_tests.builders import AvroFile, ExportBuilder
from csq_assets_tests.platform import REPOSITORY, Platform, open_platform
from csq_assets_tests.targets import DirectoryTarget

STARTS_WITHIN = 120
ENDS_WITHIN = 30
SHOWS_WITHIN_MS = 30_000


@dataclass(frozen=True, slots=True)
class Site:
    """The UI at `url`, and the platform that it shows."""

    url: str
    platform: Platform


@pytest.fixture(scope="module")
def chromium() -> str:
    """Playwright's own, or the system's. Without any: skipped with a word, and a failure in CI."""
    with sync_playwright() as playwright:
        of_playwright = playwright.chromium.executable_path
    names = ("chromium", "chromium-browser", "google-chrome")
    for path in (os.environ.get("CHROMIUM"), of_playwright, *map(shutil.which, names)):
        if path and Path(path).exists():
            return path
    reason = "no Chromium: install it, or let the variable CHROMIUM say where it is"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def site(
    chromium: str, tmp_path_factory: pytest.TempPathFactory, empty_home: Path
) -> Iterator[Site]:
    """Users and page views of two dumps, the page views of the second one damaged."""
    assert chromium  # before anything is started
    folder = tmp_path_factory.mktemp("ui")
    home = Path(shutil.copytree(empty_home, folder / "a home"))
    (folder / "export").mkdir()
    export = ExportBuilder(DirectoryTarget(folder / "export"))
    with open_platform(home, export, str(home / "data" / "lake")) as platform:
        platform.deliver(
            12,
            users=[{"user_id": 1, "email": "a@example.com"}, {"user_id": 2, "email": None}],
            pageviews=[{"user_id": 1, "event_id": 5, "path": "/"}],
        )
        platform.deliver(
            13,
            users=[{"user_id": 3, "email": None, "plan": "pro"}],
            pageviews=[AvroFile(body=b"Obj\x01")],
        )
        platform.sync()
        with _serving(home, platform.environment()) as url:
            yield Site(url, platform)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, site: Site) -> Iterator[Page]:
    """A page of the site; what a test waits for has time to come on a busy machine."""
    expect.set_options(timeout=SHOWS_WITHIN_MS)
    page = browser.new_page(base_url=site.url, viewport={"width": 1600, "height": 1200})
    page.set_default_timeout(SHOWS_WITHIN_MS)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    page.close()
    assert errors == []


@contextmanager
def _serving(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """`dagster dev` in a process group of its own, which is ended afterwards, and nothing else."""
    port = _free_port()
    with subprocess.Popen(
        [
            Path(sys.executable).with_name("dagster"),
            "dev",
            *("--workspace", REPOSITORY / "workspace.yaml"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        said: list[str] = []
        up = threading.Event()
        reader = threading.Thread(target=_read, args=(process, said, up))
        reader.start()
        try:
            assert up.wait(STARTS_WITHIN), "".join(said)
            assert process.poll() is None, "".join(said)
            yield f"http://127.0.0.1:{port}"
        finally:
            _end(process)
            reader.join()


def _read(process: subprocess.Popen[str], said: list[str], up: threading.Event) -> None:
    """Keep what it says; `up` is set when it serves, or has ended."""
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line)
        if "Serving dagster-webserver" in line:
            up.set()
    up.set()


def _end(process: subprocess.Popen[str]) -> None:
    """Ask it to end, which ends what it started; then make sure of the whole group."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(ENDS_WITHIN)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
