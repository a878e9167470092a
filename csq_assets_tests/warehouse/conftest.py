"""Fixtures for tests of the warehouse."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from csq_assets.warehouse.connection import open_warehouse
from csq_assets_tests.warehouse.deliveries import Platform


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """An empty warehouse in a file, and nothing delivered yet."""
    with open_warehouse(tmp_path / "warehouse.duckdb") as connection:
        yield Platform(connection)
