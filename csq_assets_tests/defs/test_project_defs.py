"""Definitions of people's own, scaffolded by `dg` in a copy of the clone."""

import json
import shutil
from pathlib import Path

import pytest

from csq_assets.dataconnect.tables import with_prefix
from csq_assets_tests.platform import REPOSITORY, SCRIPTS, Platform, run


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A copy of the clone's code."""
    folder = tmp_path / "a clone"
    folder.mkdir()
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "csq_assets", folder / "csq_assets", ignore=ignored)
    return folder


def dg(*arguments: str, clone: Path, platform: Platform) -> str:
    """What `dg` prints on stdout; it must succeed."""
    environment = {**platform.environment(), "PYTHONPATH": str(clone)}
    done = run(SCRIPTS / "dg", *arguments, cwd=clone, environment=environment)
    assert done.code == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_what_dg_scaffolds_is_listed_beside_ours(clone: Path, platform: Platform) -> None:
    dg("scaffold", "defs", "dagster.asset", "own/first.py", clone=clone, platform=platform)
    us = ("csq_assets.DataConnectComponent", "us")
    dg("scaffold", "defs", *us, clone=clone, platform=platform)
    listed = json.loads(dg("list", "defs", "--json", clone=clone, platform=platform))
    graph = platform.definitions().resolve_asset_graph()
    ours = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert {asset["asset_key"] for asset in listed["assets"]} == {
        "first",
        *ours,
        *(with_prefix(name, "us") for name in ours),
    }
    dg("check", "defs", clone=clone, platform=platform)
