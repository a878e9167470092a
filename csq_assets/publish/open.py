"""Opens the place that the settings name for published tables."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from csq_assets.lake.locations import open_objects
from csq_assets.publish.iceberg_errors import opening
from csq_assets.publish.publication import Publication
from csq_assets.settings import Settings
from csq_assets.warehouse.connection import open_warehouse

SETTING = "CSQ_PUBLISH_URL"


def place_of(settings: Settings) -> str | None:
    """What tells one place from another; None where nothing is to be published."""
    if settings.publish_url is None:
        return None
    return f"{settings.publish_format} {namespace_of(settings)} {settings.publish_url}"


def folder_of(settings: Settings) -> str:
    """Where the tables of this format are: in each, files that nothing names are deleted."""
    return f"{str(settings.publish_url).rstrip('/')}/{settings.publish_format}"


def namespace_of(settings: Settings) -> str:
    """Where the tables are in a catalog: `csq`, or the prefix of the keys."""
    return settings.key_prefix.replace("/", "_").lower()


@contextmanager
def open_publication(settings: Settings, s3_client: Callable[[], Any]) -> Iterator[Publication]:
    """The publication of these settings, which name a place.

    Raises SettingsError or StorageError where the place or the catalog cannot be used.
    """
    namespace, place = namespace_of(settings), str(place_of(settings))
    objects = open_objects(folder_of(settings), s3_client, SETTING)
    if settings.publish_format == "parquet":
        from csq_assets.publish.parquet import ParquetTarget  # noqa: PLC0415

        yield Publication(ParquetTarget(objects), namespace, place)
        return
    with opening():  # pyiceberg is an extra
        from csq_assets.publish.iceberg import IcebergTarget  # noqa: PLC0415
        from csq_assets.publish.iceberg_catalog import open_catalog  # noqa: PLC0415
    s3 = objects.iceberg_options()
    with open_catalog(settings.duckdb_path.with_suffix(".catalog.db"), s3) as catalog:
        yield Publication(IcebergTarget(catalog, namespace, objects), namespace, place)


def publish_without_assets(
    settings: Settings,
    s3_client: Callable[[], Any],
    relations: Iterable[str],
    *,
    wait_seconds: float,
) -> None:
    """Bring relations up to date that have no asset. Those that no dump lists any more are removed.

    Raises StorageError or SettingsError as `Publication.publish` does, BusyError as `open_warehouse`.
    """
    with (
        open_warehouse(
            settings.duckdb_path, memory_limit=settings.memory_limit, wait_seconds=wait_seconds
        ) as connection,
        open_publication(settings, s3_client) as publication,
    ):
        for relation in relations:
            publication.publish(connection, relation)
