"""What a lake is known by."""

import json
import uuid

import pytest

from csq_assets.errors import StorageError
from csq_assets.lake.lake_identity import ensure_identity, read_identity
from csq_assets.lake.objects import ObjectStore


def test_a_lake_gets_an_identity_once(objects: ObjectStore) -> None:
    assert read_identity(objects) is None
    assert list(objects.list("")) == []
    identity = ensure_identity(objects)
    assert str(uuid.UUID(identity)) == identity
    assert (ensure_identity(objects), read_identity(objects)) == (identity, identity)
    assert json.loads(objects.read("lake.json")) == {"identity": identity}
    objects.delete("lake.json")
    assert ensure_identity(objects) != identity


@pytest.mark.parametrize("body", [b"", b"{}", b'{"identity": "x"}', b"\xff"])
def test_a_damaged_identity_is_an_error_and_stays(objects: ObjectStore, body: bytes) -> None:
    objects.put("lake.json", body)
    for ask in (read_identity, ensure_identity):
        with pytest.raises(StorageError) as refused:
            ask(objects)
        assert refused.value.message.startswith(f"{objects.url}/lake.json is damaged: ")
        assert refused.value.remedy == "Put that file back from a backup."
    assert objects.read("lake.json") == body
