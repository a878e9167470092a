"""What an installed wheel has, and what it does not need."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import csq_assets
from csq_assets_tests.platform import REPOSITORY, Platform, run

# Whatever it imports, dagster_webserver is not to be had.
HEADLESS = """
import sys
sys.modules["dagster_webserver"] = None
from csq_assets.cli import main
main()
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel brings, and nothing of the clone."""
    folder = tmp_path_factory.mktemp("wheel")
    built = [sys.executable, "-m", "flit_core.wheel", REPOSITORY, "--outdir", folder]
    subprocess.run(built, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    target = folder / "installed"
    subprocess.run([*pip, "--target", target, wheel], check=True, capture_output=True)
    return target


def test_an_installed_wheel_goes_from_init_to_sync(installed: Path, tmp_path: Path) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CSQ_")},
        "PYTHONPATH": str(installed),
        "DAGSTER_HOME": "",
    }
    where = "import csq_assets; print(csq_assets.__file__, csq_assets.__version__)"
    found = run(sys.executable, "-c", where, cwd=tmp_path, environment=environment)
    assert found.stdout == f"{installed / 'csq_assets' / '__init__.py'} {csq_assets.__version__}\n"
    home = tmp_path / "home"
    csq = installed / "bin" / "csq"
    for folder, command in (
        (tmp_path, ("init", "home")),
        (home, ("sample", "data/export", "--users", "20")),
        (home, ("sync",)),
        (home, ("report",)),
    ):
        done = run(csq, *command, cwd=folder, environment=environment)
        assert done.code in (0, 3), done.stderr
    assert (home / "data" / "warehouse.duckdb").exists()
    assert (installed / "csq_assets" / "py.typed").exists()


def test_the_version_is_stated_once(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = run(installed / "bin" / "csq", "--version", cwd=tmp_path, environment=environment)
    assert done.stdout == f"csq, version {csq_assets.__version__}\n"


def test_a_sync_needs_no_webserver(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    done = run(
        *(sys.executable, "-c", HEADLESS, "sync"),
        cwd=platform.folder,
        environment=platform.environment(),
    )
    assert done.code == 0, done.stderr
    assert platform.rows("users") == [{"user_id": 1, "_dump_id": 12}]
