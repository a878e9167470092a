"""The code location of the clone: a component fed from the environment, and your own definitions."""

from pathlib import Path

import dagster as dg

from csq_assets.component import DataConnectComponent
from csq_assets.environment import load_env_files, set_default_dagster_home


def _load_definitions() -> dg.Definitions:
    component = DataConnectComponent.from_environment()
    folder = Path(__file__).with_name("project_defs")
    # An empty folder costs nothing: each run process starts here.
    if {path.name for path in folder.iterdir()} <= {"__init__.py", "__pycache__"}:
        return component.definitions(Path.cwd(), ())
    tree = dg.ComponentTree.for_project(folder)  # what `dg scaffold defs …` wrote
    others = tree.get_all_components(DataConnectComponent)
    return dg.Definitions.merge(component.definitions(Path.cwd(), others), tree.build_defs())


load_env_files()
set_default_dagster_home()

defs = _load_definitions()
