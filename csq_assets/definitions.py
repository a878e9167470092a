"""The code location: settings, the catalog and your own definitions in, `defs` out."""

from pathlib import Path

import dagster as dg

from csq_assets.aws import s3_client
from csq_assets.defs.build import build_definitions, tables_in
from csq_assets.lake.locations import open_lake
from csq_assets.settings import Settings, load_env_files, set_default_dagster_home


def _load_project_defs() -> dg.Definitions:
    """What `dg scaffold defs …` wrote. An empty folder costs nothing: each run process starts here."""
    folder = Path(__file__).with_name("project_defs")
    if {path.name for path in folder.iterdir()} <= {"__init__.py", "__pycache__"}:
        return dg.Definitions()
    return dg.load_from_defs_folder(path_within_project=folder)


load_env_files()
set_default_dagster_home()
_settings = Settings.from_environment()
_catalog = open_lake(_settings.lake_url, s3_client).documents.catalog()

defs = dg.Definitions.merge(
    build_definitions(
        _settings, tables_in(_catalog, _settings), sync_interval=_catalog.sync_interval()
    ),
    _load_project_defs(),
)
