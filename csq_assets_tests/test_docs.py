"""The pages of the documentation agree with the code, and the Python and the commands in them run."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import polars as pl
import pytest

from csq_assets.cli import cli
from csq_assets_tests.page_tables import TABLES, up_to_date
from csq_assets_tests.platform import Platform

REPOSITORY = Path(__file__).parent.parent
TESTS = REPOSITORY / "csq_assets_tests"
README = (REPOSITORY / "README.md").read_text()
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
PYTHON = ("your-project.md", "querying.md")  # whose blocks make one script
# Materializes the two assets of the first block, as the UI would.
MATERIALIZE = """
job = defs.resolve_implicit_global_asset_job_def()
with dg.DagsterInstance.get() as instance:
    for key, partition in (("views_by_path", "1004"), ("views_by_user", None)):
        job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(key)], partition_key=partition
        )
"""
SHOW = """
print(users.height, every.height, today.height)
print(dg.AssetKey(["csq", "raw", "add_to_cart"]) in csq.resolve_asset_graph().get_all_asset_keys())
"""


def blocks_of(document: Path, language: str = "") -> list[str]:
    """The code blocks of a page."""
    return re.findall(
        rf"^ *```{language}\n(.*?)^ *```$", document.read_text(), re.DOTALL | re.MULTILINE
    )


def commands_of(document: Path) -> Iterator[list[str]]:
    """The arguments of each `csq` command in the code blocks of a page."""
    for line in "\n".join(blocks_of(document)).splitlines():
        if match := re.search(
            r"(?:^|bin/|&& )csq (?:--component \S+ )?([a-z][^#;|>&]*)", line.partition("2>")[0]
        ):
            yield shlex.split(match[1])


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_what_a_page_says_from_code_is_up_to_date(
    page: Path, request: pytest.FixtureRequest
) -> None:
    text = page.read_text()
    if request.config.getoption("--golden"):
        page.write_text(up_to_date(text))
    else:
        assert text == up_to_date(text), "run make golden, and read the diff"


def test_each_table_from_code_is_on_one_page() -> None:
    begins = [re.findall(r"<!-- (\w+): begin -->", page.read_text()) for page in PAGES]
    assert sorted(name for names in begins for name in names if name in TABLES) == sorted(TABLES)


def test_the_two_commands_are_at_the_top() -> None:
    top = "\n".join(README.splitlines()[:15])
    assert "make demo" in top
    assert "make test" in top


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_each_csq_command_in_the_code_of_a_page_has_valid_arguments(page: Path) -> None:
    for name, *arguments in commands_of(page):
        # A usage error is raised while the arguments are parsed; nothing is executed.
        with click.Context(cli, info_name="csq") as parent:
            cli.commands[name].make_context(name, list(arguments), parent=parent)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_each_csq_command_in_the_text_of_a_page_exists_with_its_options(page: Path) -> None:
    for span in re.findall(
        r"`csq (?:--component [^\s`]+ )?([a-z][^`…]*)`", " ".join(page.read_text().split())
    ):
        known = {option for one in cli.commands[span.split()[0]].params for option in one.opts}
        assert set(re.findall(r"--[a-z-]+", span)) <= known, span


def test_the_python_of_the_pages_runs(platform: Platform) -> None:
    views = [(1, 5, "/a"), (1, 6, "/a"), (2, 7, "/b")]
    platform.deliver(1003, users=[{"user_id": 1}])
    platform.deliver(
        1004,
        users=[{"user_id": 1}, {"user_id": 2}],
        pageviews=[
            {"user_id": user, "event_id": event, "session_id": 1, "path": path}
            for user, event, path in views
        ],
    )
    assert platform.sync().errors == ()
    first, *others = (
        block for name in PYTHON for block in blocks_of(REPOSITORY / "docs" / name, "python")
    )
    script = platform.folder / "own.py"
    script.write_text("\n".join([first, MATERIALIZE, *others, SHOW]))
    done = subprocess.run(
        [sys.executable, script],
        cwd=platform.folder,
        env=platform.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("2 3 2\nTrue\n", 0), done.stderr
    stored = f"{platform.settings.lake_url}/assets/views_by_path/partition=1004/data.parquet"
    assert sorted(pl.read_parquet(stored).rows()) == [("/a", 2), ("/b", 1)]
    assert platform.rows("views_by_user", "mart") == [
        {"user_id": 1, "views": 2},
        {"user_id": 2, "views": 1},
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text())
    assert [link for link in links if not _exists(page, *link)] == []


def _exists(page: Path, link: str, anchor: str) -> bool:
    target = page.parent / link if link else page
    if not target.exists() or not anchor:
        return target.exists()
    headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
    return anchor in {re.sub(r"[^\w\- ]", "", one).lower().replace(" ", "-") for one in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_tests_that_a_page_names_exist(page: Path) -> None:
    named = set(re.findall(r"`((?:\w+/)*test_\w+\.py)`", page.read_text()))
    files = [f"/{file.relative_to(TESTS).as_posix()}" for file in TESTS.rglob("test_*.py")]
    missing = {name for name in named if not any(file.endswith(f"/{name}") for file in files)}
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_make_targets_that_a_page_names_exist(page: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    in_spans = re.findall(r"`make ([a-z-]+)", " ".join(page.read_text().split()))
    in_blocks = re.findall(r"^make ([a-z-]+)", "\n".join(blocks_of(page)), re.MULTILINE)
    assert {*in_spans, *in_blocks} <= targets
