"""The code location: settings and the catalog in, `defs` out."""

from csq_assets.aws import s3_client
from csq_assets.defs.build import build_definitions, tables_in
from csq_assets.lake.locations import open_lake
from csq_assets.settings import Settings, load_env_files, set_default_dagster_home

load_env_files()
set_default_dagster_home()
_settings = Settings.from_environment()
_catalog = open_lake(_settings.lake_url, s3_client).documents.catalog()

defs = build_definitions(_settings, tables_in(_catalog, _settings))
