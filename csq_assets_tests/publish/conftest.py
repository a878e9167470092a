"""Fixtures for tests of publications."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from csq_assets.settings import Settings
from csq_assets.warehouse.connection import open_warehouse
from csq_assets_tests.publish.published import Publisher
from csq_assets_tests.warehouse.deliveries import Platform


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """An empty warehouse in a file, and nothing delivered yet."""
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        yield Platform(connection)


def publisher_of(platform: Platform, folder: Path, url: str, format_name: str) -> Publisher:
    environment = {
        "CSQ_PUBLISH_URL": url,
        "CSQ_PUBLISH_FORMAT": format_name,
        "CSQ_DUCKDB_PATH": str(folder / "warehouse.duckdb"),
    }
    return Publisher(platform, Settings.from_environment(environment))


@pytest.fixture
def iceberg(platform: Platform, tmp_path: Path) -> Publisher:
    return publisher_of(platform, tmp_path, str(tmp_path / "my tables"), "iceberg")


@pytest.fixture
def parquet(platform: Platform, tmp_path: Path) -> Publisher:
    return publisher_of(platform, tmp_path, str(tmp_path / "my tables"), "parquet")


@pytest.fixture(params=["iceberg", "parquet"])
def publisher(request: pytest.FixtureRequest) -> Publisher:
    """Publishes into a directory: once as Iceberg, once as Parquet."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["iceberg", "parquet"])
def s3_publisher(
    request: pytest.FixtureRequest, platform: Platform, tmp_path: Path, s3_client: Any
) -> Publisher:
    """Publishes into a bucket, in either format."""
    s3_client.create_bucket(Bucket="ours")
    return publisher_of(platform, tmp_path, "s3://ours/for others", request.param)
