"""An export and a lake, in directories or in buckets."""

import pytest

from csq_assets.lake.directory import DirectoryStore
from csq_assets.lake.locations import lake_of
from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.pipeline.passes import Passes


@pytest.fixture
def passes(directory_export: ExportBuilder, directory_objects: DirectoryStore) -> Passes:
    return Passes(directory_export, lake_of(directory_objects))


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.s3)])
def either(request: pytest.FixtureRequest) -> Passes:
    """Export and lake in directories, then in a bucket."""
    objects = request.getfixturevalue(f"{request.param}_objects")
    builder = request.getfixturevalue(f"{request.param}_export")
    return Passes(builder, lake_of(objects))
