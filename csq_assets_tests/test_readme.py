"""The pages of the documentation agree with the code, and the Python and the commands in them run."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import polars as pl
import pytest
import yaml

from csq_assets.cli import cli
from csq_assets.dataconnect.checks import REGISTRY
from csq_assets.settings import Settings
from csq_assets_tests.platform import Platform

REPOSITORY = Path(__file__).parent.parent
TESTS = REPOSITORY / "csq_assets_tests"
README = (REPOSITORY / "README.md").read_text()
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "docs" / "contract.md"]
# Materializes the two assets of the README's first block, as the UI would.
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


def rows_of(document: Path) -> list[list[str]]:
    """Every table row of a page, as its cells."""
    lines = (line for line in document.read_text().splitlines() if line.startswith("| "))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def blocks_of(document: Path, language: str = "") -> list[str]:
    """The code blocks of a page."""
    return re.findall(
        rf"^ *```{language}\n(.*?)^ *```$", document.read_text(), re.DOTALL | re.MULTILINE
    )


def commands_of(document: Path) -> Iterator[list[str]]:
    """The arguments of each `csq` command in the code blocks of a page."""
    for line in "\n".join(blocks_of(document)).splitlines():
        if match := re.search(r"(?:^|bin/|&& )csq ([a-z][^#;|>&]*)", line.partition("2>")[0]):
            yield shlex.split(match[1])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_setting_is_documented_with_its_default(document: Path) -> None:
    documented = {cells[0].strip("`"): cells[-1].strip("`") for cells in rows_of(document)}
    for setting in fields(Settings):
        default = setting.metadata["default"] or "none"
        assert documented.get(setting.metadata["variable"]) == default, setting.name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_check_is_documented_with_its_asset(document: Path) -> None:
    assets = {
        "sync_reports": "csq/sync_reports",
        "manifests": "csq/manifests",
        "raw": "csq/raw/<table>",
        "current": "csq/current/<table>",
        "user_identity": "csq/user_identity",
    }
    documented = {
        cells[1].strip("`"): cells[0].strip("`") for cells in rows_of(document) if len(cells) > 2
    }
    assert {name: assets[check.on] for name, check in REGISTRY.items()} == {
        name: documented.get(name) for name in REGISTRY
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_command_is_documented(document: Path) -> None:
    for name in cli.commands:
        assert f"`csq {name}" in document.read_text(), name


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
    for span in re.findall(r"`csq ([a-z][^`]*)`", " ".join(page.read_text().split())):
        known = {option for one in cli.commands[span.split()[0]].params for option in one.opts}
        assert set(re.findall(r"--[a-z-]+", span)) <= known, span


def test_the_python_of_the_readme_runs(platform: Platform) -> None:
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
    first, *others = blocks_of(REPOSITORY / "README.md", "python")
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


def test_the_units_of_the_production_page_agree_with_deploy() -> None:
    (origin,) = yaml.safe_load((REPOSITORY / "deploy" / "workspace.yaml").read_text())["load_from"]
    server = origin["grpc_server"]
    page = (REPOSITORY / "docs" / "production.md").read_text()
    assert f"code-server start -h {server['host']} -p {server['port']} -m " in page
    assert f'repositoryLocationName: \\"{server["location_name"]}\\"' in page
    instance = (REPOSITORY / "deploy" / "dagster-postgres.yaml").read_text()
    variables = set(re.findall(r"env: (DAGSTER_PG_\w+)", instance))
    assert variables == set(re.findall(r"^(DAGSTER_PG_\w+)=", page, re.MULTILINE))
    (rules,) = re.findall(r"--lifecycle-configuration \\\n +'(.*?)'", page, re.DOTALL)
    assert json.loads(rules)["Rules"][0]["AbortIncompleteMultipartUpload"]
