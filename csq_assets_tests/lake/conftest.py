"""Places for objects: a directory, and a prefix of a bucket; and a lake in either."""

from pathlib import Path
from typing import Any

import pytest

from csq_assets.lake.bucket import BucketStore
from csq_assets.lake.directory import DirectoryStore
from csq_assets.lake.documents import LakeDocuments
from csq_assets.lake.locations import Lake
from csq_assets.lake.objects import ObjectStore
from csq_assets.lake.store import LakeStore
from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.lake.passes import Passes


@pytest.fixture
def directory_objects(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "my lake", setting="CSQ_LAKE_URL", must_exist=False)


@pytest.fixture
def s3_objects(s3_client: Any) -> BucketStore:
    return BucketStore(s3_client, "customer", "my lake/é", setting="CSQ_LAKE_URL")


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.s3)])
def objects(request: pytest.FixtureRequest) -> ObjectStore:
    """An empty place: once a directory, once in a bucket."""
    return request.getfixturevalue(f"{request.param}_objects")


@pytest.fixture
def store(objects: ObjectStore) -> LakeStore:
    return LakeStore(objects)


@pytest.fixture
def documents(objects: ObjectStore) -> LakeDocuments:
    return LakeDocuments(objects)


@pytest.fixture
def lake(store: LakeStore, documents: LakeDocuments) -> Lake:
    return Lake(store, documents)


@pytest.fixture
def passes(directory_export: ExportBuilder, directory_objects: DirectoryStore) -> Passes:
    lake = Lake(LakeStore(directory_objects), LakeDocuments(directory_objects))
    return Passes(directory_export, lake)


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.s3)])
def either(request: pytest.FixtureRequest) -> Passes:
    """Export and lake in directories, then in a bucket."""
    objects = request.getfixturevalue(f"{request.param}_objects")
    builder = request.getfixturevalue(f"{request.param}_export")
    return Passes(builder, Lake(LakeStore(objects), LakeDocuments(objects)))
