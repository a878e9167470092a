"""A place for objects, and a lake in it: in a directory, then under a prefix of a bucket."""

import pytest

from csq_assets.lake.documents import LakeDocuments
from csq_assets.lake.locations import Lake, lake_of
from csq_assets.lake.objects import ObjectStore
from csq_assets.lake.store import LakeStore


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
def lake(objects: ObjectStore) -> Lake:
    return lake_of(objects)
