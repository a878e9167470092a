"""What README and docs/contract.md say, compared with what is so."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from csq_assets.cli import cli
from csq_assets.dataconnect.checks import REGISTRY
from csq_assets.settings import Settings

REPOSITORY = Path(__file__).parent.parent
README = (REPOSITORY / "README.md").read_text()
PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")])
DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "docs" / "contract.md"]


def rows_of(document: Path) -> list[list[str]]:
    """Every table row of a page, as its cells."""
    lines = (line for line in document.read_text().splitlines() if line.startswith("| "))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_setting_stands_there_with_its_default(document: Path) -> None:
    told = {cells[0].strip("`"): cells[-1].strip("`") for cells in rows_of(document)}
    for setting in fields(Settings):
        default = setting.metadata["default"] or "none"
        assert told.get(setting.metadata["variable"]) == default, setting.name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_each_check_stands_there_with_its_asset(document: Path) -> None:
    assets = {
        "sync_reports": "csq/sync_reports",
        "manifests": "csq/manifests",
        "raw": "csq/raw/<table>",
        "current": "csq/current/<table>",
        "user_identity": "csq/user_identity",
    }
    told = {
        cells[1].strip("`"): cells[0].strip("`") for cells in rows_of(document) if len(cells) > 2
    }
    assert {name: assets[check.on] for name, check in REGISTRY.items()} == {
        name: told.get(name) for name in REGISTRY
    }


def test_each_command_stands_there() -> None:
    for name in cli.commands:
        assert f"`csq {name}" in README, name


def test_the_two_commands_stand_at_the_top() -> None:
    top = "\n".join(README.splitlines()[:15])
    assert "make demo" in top
    assert "make test" in top


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def test_make_targets_that_are_told_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    told = set(re.findall(r"`?make ([a-z-]+)", README))
    assert {
        target for target in told if not re.search(rf"^{target}:", makefile, re.MULTILINE)
    } == set()
