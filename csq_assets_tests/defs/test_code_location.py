"""The code location, loaded by Dagster's own commands in a process of their own."""

import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

from csq_assets_tests.platform import REPOSITORY, Platform, csq


def load(platform: Platform, **variables: str) -> subprocess.CompletedProcess[str]:
    """As `dagster dev` loads it: from workspace.yaml."""
    return subprocess.run(
        [
            Path(sys.executable).with_name("dagster"),
            "definitions",
            "validate",
            "-w",
            REPOSITORY / "workspace.yaml",
        ],
        cwd=platform.folder,
        env={**platform.environment(), **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_it_has_one_name_however_it_is_served(platform: Platform) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    served = [
        next(iter(origin.values()))["location_name"]
        for file in ("workspace.yaml", "deploy/workspace.yaml")
        for origin in yaml.safe_load((REPOSITORY / file).read_text())["load_from"]
    ]
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    headless = {
        run.tags[".dagster/repository"].rpartition("@")[2] for run in platform.instance.get_runs()
    }
    assert {project["code_location_name"], *served, *headless} == {"csq_assets"}


def test_it_loads_from_the_workspace(platform: Platform) -> None:
    platform.deliver(12, tables={"users": [{"user_id": 1}], "add_to_cart": [{"x": 1}]})
    platform.sync()
    done = load(platform)
    assert done.returncode == 0, done.stderr


def test_wrong_settings_fail_it_with_the_message_that_csq_prints(platform: Platform) -> None:
    wrong = {"CSQ_EXPORT_URL": "gs://bucket"}
    said = csq(platform.folder, "sync", environment={**platform.environment(), **wrong})
    assert said.code == 2
    message = said.stderr.removeprefix("csq: ").strip()
    assert message.startswith("setting CSQ_EXPORT_URL: ")
    done = load(platform, **wrong)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr


def test_a_partition_loads_without_dagster_home(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    code = (
        "from csq_assets.definitions import defs\n"
        "print(defs.load_asset_value(['csq', 'raw', 'users'], partition_key='12')['user_id'][0])"
    )
    environment = platform.environment()
    del environment["DAGSTER_HOME"]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=platform.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("1\n", 0), done.stderr
