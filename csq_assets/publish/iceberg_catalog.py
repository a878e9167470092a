"""The catalog that pyiceberg's configuration names, or else one in a file of SQLite."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.utils.config import Config
from sqlalchemy import URL

from csq_assets.masking import hide, is_secret
from csq_assets.publish.iceberg_errors import opening


@contextmanager
def open_catalog(file: Path, s3: Mapping[str, str]) -> Iterator[Catalog]:
    """The default catalog of pyiceberg's configuration; where that has none, one in `file`. `s3` says
    how to reach the files, unless the configuration says so.

    Raises SettingsError or StorageError where it cannot be opened.
    """
    with opening():
        catalog = _load(file, s3)
    try:
        yield catalog
    finally:
        if (engine := getattr(catalog, "engine", None)) is not None:  # SQLAlchemy's
            engine.dispose()


def _load(file: Path, s3: Mapping[str, str]) -> Catalog:
    config = Config()
    name = config.get_default_catalog_name()
    given: dict[str, Any] = dict(config.get_catalog_config(name) or {})
    hide(*(str(value) for key, value in given.items() if is_secret(key)))
    if not given:
        given = {"type": "sql", "uri": _sqlite(file)}
    if not any(key.startswith("s3.") for key in given):
        given |= s3
    return load_catalog(name, **given)


def _sqlite(file: Path) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    return URL.create("sqlite", database=str(file)).render_as_string()
