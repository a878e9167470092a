"""What is new in an export."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from csq_assets.dataconnect.sync_report import SyncReport
from csq_assets.errors import SettingsError, StorageError
from csq_assets.lake.directory import DirectoryStore
from csq_assets.lake.discovery import Discovery, discover
from csq_assets.lake.documents import LakeDocuments, content_hash
from csq_assets.lake.locations import open_export
from csq_assets.lake.objects import ObjectStore
from csq_assets_tests.as_nobody import as_nobody
from csq_assets_tests.builders import ExportBuilder, encode_json
from csq_assets_tests.targets import DirectoryTarget, S3Target

MORNING, NOON = (datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (6, 12))


def look(export: ExportBuilder, documents: LakeDocuments) -> Discovery:
    client = export.target.client if isinstance(export.target, S3Target) else None
    return discover(open_export(export.url, export.manifest_prefix, lambda: client), documents)


def new_dumps(found: Discovery) -> list[int]:
    return [seen.dump_id for seen in found.new_manifests]


@pytest.fixture
def documents(directory_objects: ObjectStore) -> LakeDocuments:
    return LakeDocuments(directory_objects)


def test_what_is_new_is_told_once_and_remembered(
    export: ExportBuilder, documents: LakeDocuments
) -> None:
    delivery = export.deliver(12, users=[{"user_id": 1}], clicks=[], property_definitions={})
    export.deliver(9)
    report = export.report("2026-03-01")

    found = look(export, documents)
    assert [(one.dump_id, one.tables, one.has_definitions) for one in found.new_manifests] == [
        (9, (), False),
        (12, ("users", "clicks"), True),
    ]
    newest = found.new_manifests[1]
    assert (newest.object.key, newest.content) == (
        delivery.manifest_key,
        content_hash(delivery.body),
    )
    assert [(one.object.key, one.problem) for one in found.new_reports] == [(report, None)]
    assert found.catalog.unreadable == ()
    assert documents.catalog() == found.catalog
    assert documents.manifest(12)[1] == content_hash(delivery.body)

    assert look(export, documents) == Discovery(found.catalog, (), ())


def test_before_anything_is_delivered_there_is_nothing(
    export: ExportBuilder, documents: LakeDocuments
) -> None:
    found = look(export, documents)
    assert (found.catalog.manifests, found.catalog.reports) == ((), ())


@pytest.mark.edge(2)
def test_a_folder_is_taken_when_its_manifest_comes(
    export: ExportBuilder, documents: LakeDocuments
) -> None:
    delivery = export.deliver(12, users=[{"user_id": 1}], with_manifest=False)
    assert new_dumps(look(export, documents)) == []
    export.put_manifest(12, delivery.body)
    assert new_dumps(look(export, documents)) == [12]


@pytest.mark.edge(3)
def test_more_than_a_thousand_manifests_are_all_found(
    directory_export: ExportBuilder, documents: LakeDocuments
) -> None:
    for dump_id in range(1_100):
        directory_export.put_manifest(dump_id, {"dump_id": dump_id, "tables": []})
    found = look(directory_export, documents)
    assert new_dumps(found) == list(range(1_100))
    assert list(documents.catalog().dumps()) == list(range(1_100))


def test_objects_that_have_not_changed_are_not_read_again(
    directory_export: ExportBuilder, documents: LakeDocuments
) -> None:
    delivery = directory_export.deliver(12, users=[], modified=MORNING)
    report = directory_export.report("2026-03-01", modified=MORNING)
    found = look(directory_export, documents)
    # As long and as old as before: only reading it would show that it is something else now.
    for key in (delivery.manifest_key, report):
        directory_export.put(key, b"#" * len(directory_export.get(key)), MORNING)
    assert look(directory_export, documents) == Discovery(found.catalog, (), ())


@pytest.mark.edge(6)
def test_the_same_manifest_uploaded_again_keeps_its_content(
    directory_export: ExportBuilder, documents: LakeDocuments
) -> None:
    directory_export.deliver(12, users=[{"user_id": 1}], modified=MORNING)
    before = look(directory_export, documents).catalog.dumps()[12]
    directory_export.deliver(12, users=[{"user_id": 1}], modified=NOON)
    found = look(directory_export, documents)
    assert new_dumps(found) == []
    after = found.catalog.dumps()[12]
    assert (before.content, before.object.modified) == (after.content, MORNING)
    assert after.object.modified == NOON


@pytest.mark.edge(7)
def test_a_manifest_with_other_content_takes_the_place_of_the_first(
    export: ExportBuilder, documents: LakeDocuments
) -> None:
    export.deliver(12, users=[])
    look(export, documents)
    again = export.deliver(12, users=[], clicks=[])
    found = look(export, documents)
    assert [(one.dump_id, one.tables) for one in found.new_manifests] == [(12, ("users", "clicks"))]
    assert len(found.catalog.manifests) == 1
    assert documents.manifest(12)[1] == content_hash(again.body)


REDELIVER = "Ask Contentsquare to redeliver it."
BROKEN = [
    (
        b'{"dump_id": 12, "tab',
        "not JSON: EOF while parsing a string at line 1 column 20",
    ),
    (
        b'{"dump_id": 12, // the id\n "tables": []}',
        "not JSON: key must be a string at line 1 column 17",
    ),
]


@pytest.mark.edge(8)
@pytest.mark.parametrize(("body", "said"), BROKEN)
def test_a_broken_manifest_is_told_each_time_until_it_is_mended(
    directory_export: ExportBuilder, documents: LakeDocuments, body: bytes, said: str
) -> None:
    directory_export.deliver(13, users=[])
    directory_export.put_manifest(12, body)
    for new in ([13], []):
        found = look(directory_export, documents)
        assert new_dumps(found) == new
        assert found.catalog.unreadable == (
            f"manifest manifests/sync_12.json: {said}. {REDELIVER}",
        )
        assert documents.catalog() == found.catalog
    directory_export.deliver(12, users=[])
    found = look(directory_export, documents)
    assert (new_dumps(found), found.catalog.unreadable) == ([12], ())
    assert list(found.catalog.dumps()) == [12, 13]


@pytest.mark.edge(8)
def test_a_broken_redelivery_leaves_what_was_known(
    export: ExportBuilder, documents: LakeDocuments
) -> None:
    first = export.deliver(12, users=[])
    look(export, documents)
    export.put_manifest(12, b"{")
    found = look(export, documents)
    assert found.catalog.dumps()[12].content == content_hash(first.body)
    assert documents.manifest(12)[1] == content_hash(first.body)
    assert len(found.catalog.unreadable) == 1


@pytest.mark.edge(8)
def test_a_broken_manifest_that_is_taken_away_is_told_no_more(
    export: ExportBuilder, documents: LakeDocuments
) -> None:
    key = export.put_manifest(12, b"{")
    assert len(look(export, documents).catalog.unreadable) == 1
    export.delete(key)
    assert look(export, documents).catalog.unreadable == ()


@pytest.mark.edge(9)
def test_unknown_keys_are_ignored(export: ExportBuilder, documents: LakeDocuments) -> None:
    export.deliver(12, users=[], edit=lambda manifest: manifest.update(version={"of": 2}))
    assert new_dumps(look(export, documents)) == [12]


@pytest.mark.edge(10, 12)
def test_what_is_no_manifest_names_its_field(
    export: ExportBuilder, documents: LakeDocuments
) -> None:
    entry = {"name": "users", "columns": [], "files": [], "incremental": True}
    export.put_manifest("a.json", {"dump_id": "1234", "tables": []})
    export.put_manifest("b.json", {"dump_id": 12, "tables": [entry, entry]})
    export.put_manifest("c.json", {"dump_id": 12})
    found = look(export, documents)
    assert found.catalog.manifests == ()
    assert found.catalog.unreadable == (
        (
            'manifest manifests/a.json, field dump_id: must be a valid integer, not "1234". '
            f"{REDELIVER}"
        ),
        f'manifest manifests/b.json, field tables: table "users" is listed twice. {REDELIVER}',
        f"manifest manifests/c.json, field tables: field required. {REDELIVER}",
    )


@pytest.mark.edge(11)
def test_the_id_inside_counts_not_the_name(export: ExportBuilder, documents: LakeDocuments) -> None:
    export.deliver(12, users=[], manifest_name="sync_99.json")
    export.deliver(13, users=[], manifest_name="whatever.json")
    assert new_dumps(look(export, documents)) == [12, 13]


def test_an_object_that_now_tells_of_another_dump_adds_it(
    export: ExportBuilder, documents: LakeDocuments
) -> None:
    export.deliver(12, users=[], manifest_name="latest.json")
    look(export, documents)
    export.deliver(13, users=[], manifest_name="latest.json")
    found = look(export, documents)
    assert (new_dumps(found), list(found.catalog.dumps())) == ([13], [12, 13])


def test_of_two_manifests_with_one_id_the_later_written_is_kept(
    directory_export: ExportBuilder, documents: LakeDocuments
) -> None:
    directory_export.deliver(12, users=[], manifest_name="b.json", modified=MORNING)
    later = directory_export.deliver(12, clicks=[], manifest_name="a.json", modified=NOON)
    found = look(directory_export, documents)
    assert found.catalog.dumps()[12].tables == ("clicks",)
    assert documents.manifest(12)[1] == content_hash(later.body)

    third = directory_export.deliver(
        12, sessions=[], manifest_name="b.json", modified=NOON.replace(hour=13)
    )
    assert look(directory_export, documents).catalog.dumps()[12].tables == ("sessions",)
    assert documents.manifest(12)[1] == content_hash(third.body)


def test_an_older_manifest_that_appears_late_is_not_kept(
    directory_export: ExportBuilder, documents: LakeDocuments
) -> None:
    first = directory_export.deliver(12, users=[], manifest_name="b.json", modified=NOON)
    look(directory_export, documents)
    directory_export.deliver(12, clicks=[], manifest_name="a.json", modified=MORNING)
    assert look(directory_export, documents).catalog.dumps()[12].tables == ("users",)
    assert documents.manifest(12)[1] == content_hash(first.body)


def test_what_has_gone_from_the_export_stays_known(
    export: ExportBuilder, documents: LakeDocuments
) -> None:
    delivery = export.deliver(12, users=[])
    report = export.report("2026-03-01")
    before = look(export, documents).catalog
    export.delete(delivery.manifest_key)
    export.delete(report)
    assert look(export, documents).catalog == before


def test_reports_are_told_oldest_first(export: ExportBuilder, documents: LakeDocuments) -> None:
    keys = [export.report(day) for day in ("2026-03-02", "2026-02-27", "2026-03-01")]
    newest, oldest, between = keys
    found = look(export, documents)
    assert [one.object.key for one in found.new_reports] == [oldest, between, newest]
    assert found.catalog.newest_report() == found.new_reports[-1]


@pytest.mark.edge(74, 75)
def test_a_report_may_leave_things_out(export: ExportBuilder, documents: LakeDocuments) -> None:
    export.report("folder/odd.log", body={"finish_time": 1772343000000, "error": {"code": 7}})
    (seen,) = look(export, documents).new_reports
    assert seen.report == SyncReport(
        finish_time=datetime(2026, 3, 1, 5, 30, tzinfo=UTC), error='{"code": 7}'
    )


def test_a_broken_report_is_told_once_and_mended_by_another_upload(
    export: ExportBuilder, documents: LakeDocuments
) -> None:
    good = export.report("2026-02-28")
    broken = export.report("2026-03-01", body=b"{")
    found = look(export, documents)
    said = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    assert {one.object.key: one.problem for one in found.new_reports} == {
        good: None,
        broken: f"report {broken}: not JSON: {said}",
    }
    newest = found.catalog.newest_report()
    assert newest is not None
    assert newest.object.key == good
    assert look(export, documents).new_reports == ()

    export.report("2026-03-01")
    (mended,) = look(export, documents).new_reports
    assert (mended.object.key, mended.problem) == (broken, None)
    assert len(documents.catalog().reports) == 2


def test_half_a_surrogate_pair_stops_nothing(
    export: ExportBuilder, documents: LakeDocuments
) -> None:
    export.report("2026-03-01", body=b'{"status": "failed", "error": "\\ud800"}')
    export.put_manifest(12, b'{"dump_id": 12, "tables": [], "property_definitions": "\\ud800"}')
    export.deliver(13, users=[])
    found = look(export, documents)
    assert [one.report.error for one in found.new_reports] == ["\\ud800"]
    assert new_dumps(found) == [13]
    assert len(found.catalog.unreadable) == 1
    assert documents.catalog() == found.catalog


def test_a_file_of_a_manifest_that_may_not_be_read_stops_no_other() -> None:
    with TemporaryDirectory() as root:  # pytest lets nobody else into its folders
        folder = Path(root)
        export = ExportBuilder(DirectoryTarget(folder / "export"))
        forbidden = export.deliver(12, users=[])
        export.deliver(13, users=[])
        (folder / "export" / forbidden.manifest_key).chmod(0)
        folder.chmod(0o777)
        with as_nobody():
            lake = DirectoryStore(folder / "lake", setting="CSQ_LAKE_URL", must_exist=False)
            found = look(export, LakeDocuments(lake))
    assert new_dumps(found) == [13]
    (said,) = found.catalog.unreadable
    assert "sync_12.json: Permission denied. Check the folder that CSQ_EXPORT_URL names" in said


@pytest.mark.s3
def test_a_manifest_that_may_not_be_read_stops_no_other(
    s3_client: Any, s3_export: ExportBuilder, documents: LakeDocuments
) -> None:
    forbidden = s3_export.deliver(12, users=[])
    s3_export.deliver(13, users=[])
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::customer/{forbidden.manifest_key}",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3_client.put_bucket_policy(Bucket="customer", Policy=policy)

    found = look(s3_export, documents)
    assert new_dumps(found) == [13]
    (said,) = found.catalog.unreadable
    assert said.startswith(
        "manifest manifests/sync_12.json: no right to read s3://customer/manifests/sync_12.json, or "
        "it does not exist: 403: Forbidden. Allow s3:GetObject on it"
    )
    s3_client.delete_bucket_policy(Bucket="customer")
    found = look(s3_export, documents)
    assert (new_dumps(found), found.catalog.unreadable) == ([12], ())


@pytest.mark.s3
def test_a_report_that_may_not_be_read_stops_the_look(
    s3_client: Any, s3_export: ExportBuilder, documents: LakeDocuments
) -> None:
    key = s3_export.report("2026-03-01")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::customer/{key}",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3_client.put_bucket_policy(Bucket="customer", Policy=policy)
    with pytest.raises(StorageError, match=f"no right to read s3://customer/{key}"):
        look(s3_export, documents)


def test_an_export_that_is_not_there_leaves_what_was_known(
    directory_export: ExportBuilder, documents: LakeDocuments, tmp_path: Path
) -> None:
    directory_export.deliver(12, users=[])
    before = look(directory_export, documents).catalog
    gone = ExportBuilder(DirectoryTarget(tmp_path / "gone"))
    with pytest.raises(SettingsError, match="there is no directory"):
        look(gone, documents)
    assert documents.catalog() == before


def test_a_pass_that_died_before_it_remembered_begins_again(
    directory_export: ExportBuilder, documents: LakeDocuments, directory_objects: ObjectStore
) -> None:
    delivery = directory_export.deliver(12, users=[])
    look(directory_export, documents)
    directory_objects.delete("catalog.json")
    found = look(directory_export, documents)
    assert new_dumps(found) == [12]
    assert documents.manifest(12)[1] == content_hash(delivery.body)


def test_the_remembered_catalog_is_not_written_again_without_need(
    directory_export: ExportBuilder, documents: LakeDocuments, tmp_path: Path
) -> None:
    directory_export.deliver(12, users=[])
    look(directory_export, documents)
    (catalog,) = tmp_path.rglob("catalog.json")
    os.utime(catalog, (0, 0))
    look(directory_export, documents)
    assert catalog.stat().st_mtime == 0
    directory_export.put_manifest(13, encode_json({"dump_id": 13, "tables": []}))
    look(directory_export, documents)
    assert catalog.stat().st_mtime > 0
