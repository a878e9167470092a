"""The dbt project of the repository, run by the real dbt."""

import os
from pathlib import Path

from csq_assets_tests.platform import REPOSITORY, SCRIPTS, Ran, run

PROJECT = REPOSITORY / "dbt"


def dbt(folder: Path, *arguments: str | Path, profiles: Path = PROJECT, **variables: str) -> Ran:
    """Run dbt over the project; what it writes goes to `folder`."""
    return run(
        SCRIPTS / "dbt",
        "--no-use-colors",
        *arguments,
        "--project-dir",
        PROJECT,
        "--profiles-dir",
        profiles,
        cwd=folder,
        environment={
            **{name: value for name, value in os.environ.items() if not name.startswith("CSQ_")},
            "DBT_TARGET_PATH": str(folder / "target"),
            "DBT_LOG_PATH": str(folder / "logs"),
            **variables,
        },
    )
