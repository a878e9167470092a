"""What is remembered beside the partitions, over a directory and over a bucket."""

import json
import uuid
from dataclasses import replace

import pytest

from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.check_registry import Finding, Severity
from csq_assets.dataconnect.manifest import Manifest, TableDump
from csq_assets.dataconnect.relation import Relation
from csq_assets.errors import ManifestError, StorageError
from csq_assets.lake.documents import LakeDocuments, content_hash, side_by_side
from csq_assets.lake.objects import ObjectStore
from csq_assets_tests.dataconnect.seen import at, catalog, manifest, report

FINDING = Finding("column_drift", passed=False, severity=Severity.ERROR, description="größer")


def test_nothing_is_remembered_at_first(documents: LakeDocuments) -> None:
    assert (documents.catalog(), documents.relations()) == (Catalog(), {})


def test_a_catalog_comes_back_as_it_was(documents: LakeDocuments) -> None:
    seen = catalog(
        manifest(9223372036854775807, "users", "größe", has_definitions=True),
        manifest(0),
        reports=[
            report(start=at(5), finish=at(6), next_sync_at=at(5, day=2), error='{"code": 7}'),
            report("broken", None, problem="not JSON"),
        ],
        unreadable="manifest manifests/x.json: not JSON",
    )
    documents.save_catalog(seen)
    assert documents.catalog() == seen
    documents.save_catalog(Catalog())
    assert documents.catalog() == Catalog()


def test_a_manifest_is_kept_as_delivered(documents: LakeDocuments, objects: ObjectStore) -> None:
    entry = {"name": "users", "columns": ["user_id"], "files": [], "incremental": True}
    body = json.dumps({"dump_id": 12, "tables": [entry], "unknown": 1}, indent=4).encode()
    documents.keep_manifest(12, body)
    kept = Manifest(12, (TableDump(12, "users", True, ("user_id",), ()),))  # noqa: FBT003
    assert documents.manifest(12) == (kept, content_hash(body))
    assert objects.read("manifests/12.json") == body


def test_a_manifest_that_was_not_kept_is_told(documents: LakeDocuments) -> None:
    with pytest.raises(StorageError) as refused:
        documents.manifest(12)
    assert str(refused.value) == (
        "dump 12: its manifest is not in the lake. Run csq sync, which looks for new manifests."
    )


def test_a_kept_manifest_that_was_damaged_is_told(
    documents: LakeDocuments, objects: ObjectStore
) -> None:
    objects.put("manifests/12.json", b"{")
    with pytest.raises(ManifestError, match="not JSON"):
        documents.manifest(12)


def test_a_damaged_document_is_reported_by_its_place(
    documents: LakeDocuments, objects: ObjectStore
) -> None:
    for body in (b"", b"{", b"[]", b'{"manifests": 7}'):
        objects.put("catalog.json", body)
        with pytest.raises(StorageError) as refused:
            documents.catalog()
        assert str(refused.value).startswith(f"{objects.url}/catalog.json is damaged: ")


def test_of_each_relation_what_was_saved_last_is_remembered(
    documents: LakeDocuments, objects: ObjectStore
) -> None:
    used = {"plan": ("marts/plans",)}
    users = Relation("csq/current/users", 3, 12, ("user_id",), ("plan",), ("plan",), used)
    sizes = Relation("csq/current/größe", 0, 12, findings=(FINDING,))
    for relation in (replace(users, rows=2), users, sizes):
        documents.save_relation(relation)
    assert documents.relations() == {one.asset: one for one in (users, sizes)}
    assert documents.relation("csq/current/users") == users
    failed = Relation("csq/published/users", problem="the catalog cannot be opened")
    documents.save_relation(failed)
    assert documents.relation(failed.asset) == failed
    documents.save_relation(Relation(failed.asset))  # it says nothing
    assert len(documents.relations()) == 2
    for relation in (users, sizes, users):
        documents.forget_relation(relation.asset)
    assert (documents.relations(), documents.relation(users.asset)) == ({}, None)
    assert list(objects.list("relations/")) == []


def test_contents_are_told_apart() -> None:
    assert content_hash(b"a") == content_hash(b"a")
    assert content_hash(b"a") != content_hash(b"a ")


def test_many_are_read_in_order() -> None:
    assert side_by_side(str, range(100)) == [str(number) for number in range(100)]
    assert side_by_side(str, []) == []


def test_a_lake_gets_an_identity_once(objects: ObjectStore, documents: LakeDocuments) -> None:
    assert documents.identity() is None
    assert list(objects.list("")) == []
    identity = documents.ensure_identity()
    assert str(uuid.UUID(identity)) == identity
    assert (documents.ensure_identity(), documents.identity()) == (identity, identity)
    assert json.loads(objects.read("lake.json")) == {"identity": identity, "format": 1}
    objects.delete("lake.json")
    assert documents.ensure_identity() != identity


@pytest.mark.parametrize("body", [b"", b"{}", b'{"identity": "x"}', b"\xff"])
def test_a_damaged_identity_is_an_error_and_stays(
    objects: ObjectStore, documents: LakeDocuments, body: bytes
) -> None:
    objects.put("lake.json", body)
    for ask in (documents.identity, documents.ensure_identity):
        with pytest.raises(StorageError) as refused:
            ask()
        assert refused.value.message.startswith(f"{objects.url}/lake.json is damaged: ")
        assert refused.value.remedy == "Put that file back from a backup."
    assert objects.read("lake.json") == body
