"""What a place for objects can do, over a directory and over a bucket."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dagster_aws.s3 import S3Resource
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from csq_assets.aws import open_s3_client
from csq_assets.errors import SettingsError, StorageError
from csq_assets.lake.bucket import BucketStore
from csq_assets.lake.directory import DirectoryStore
from csq_assets.lake.locations import open_export
from csq_assets.lake.objects import ObjectStore
from csq_assets.lake.store import LakeStore
from csq_assets.s3_resource import PooledS3Resource
from csq_assets_tests.faulty_s3 import Answer, FaultyS3, error

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def keys(objects: ObjectStore, prefix: str = "") -> list[str]:
    return sorted(found.key for found in objects.list(prefix))


def put_parquet(objects: ObjectStore, key: str, frame: pl.DataFrame) -> None:
    with objects.staging() as folder:
        frame.write_parquet(folder / "x", metadata={"said": "größer"})
        objects.publish(folder / "x", key)


def test_an_object_is_what_was_put(objects: ObjectStore) -> None:
    objects.put("a/b.json", b"first")
    objects.put("a/b.json", b"\x00second")
    assert objects.read("a/b.json") == b"\x00second"
    with objects.open("a/b.json") as file:
        assert (file.read(), file.seek(1), file.read(3)) == (b"\x00second", 1, b"sec")
    stat = objects.stat("a/b.json")
    assert stat is not None
    assert list(objects.list("a/")) == [stat]
    assert (stat.key, stat.size_bytes) == ("a/b.json", 7)
    assert abs(stat.modified.timestamp() - time.time()) < 3600


def test_an_object_with_other_bytes_has_another_etag(objects: ObjectStore) -> None:
    objects.put("a", b"first")
    before = objects.stat("a")
    objects.put("a", b"other!")
    after = objects.stat("a")
    assert before is not None
    assert after is not None
    assert before.etag != after.etag


def test_a_large_object_comes_whole(objects: ObjectStore) -> None:
    body = os.urandom(1024) * 9 * 1024
    objects.put("large", body)
    with objects.open("large") as file:
        assert file.read() == body


def test_objects_are_listed_below_a_folder_alone(objects: ObjectStore) -> None:
    assert keys(objects) == []
    for key in ("a/1", "a/b/2", "ab/3", "4"):
        objects.put(key, b"")
    assert keys(objects, "a/") == ["a/1", "a/b/2"]
    assert keys(objects, "c/") == keys(objects, "4/") == []


def test_folders_are_the_names_directly_below_a_prefix(objects: ObjectStore) -> None:
    assert list(objects.folders("")) == list(objects.folders("a/")) == []
    for key in ("a/1", "a/b c/2", "a/b c/3", "a/é%2F/d/4", "ab/5", "6"):
        objects.put(key, b"")
    assert sorted(objects.folders("")) == ["a", "ab"]
    assert sorted(objects.folders("a/")) == ["b c", "é%2F"]
    assert list(objects.folders("6/")) == list(objects.folders("a/b c/")) == []


def test_a_folder_that_holds_nothing_is_not_listed(directory_objects: DirectoryStore) -> None:
    (directory_objects.root / "left/behind").mkdir(parents=True)
    assert list(directory_objects.folders("")) == ["left"]
    assert list(directory_objects.folders("left/")) == []


@pytest.mark.s3
def test_more_folders_than_a_page_of_s3_holds(s3_objects: BucketStore) -> None:
    names = [f"dump_id={number}" for number in range(1_100)]
    for name in names:  # straight into the server, which is in this process
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object("customer", f"my lake/é/{name}/x", b"")
    assert sorted(s3_objects.folders("")) == sorted(names)


@pytest.mark.parametrize("key", ["gone", "gone/too", "here/below"])
def test_what_is_not_there_is_missing(objects: ObjectStore, key: str) -> None:
    objects.put("here", b"")
    assert objects.stat(key) is None
    for reach in (objects.open, objects.read, objects.parquet_metadata):
        with pytest.raises(FileNotFoundError):
            reach(key)
    with pytest.raises(FileNotFoundError):
        objects.scan_parquet(key).collect()
    objects.delete(key)
    assert objects.read("here") == b""


def test_a_folder_is_no_object(objects: ObjectStore) -> None:
    objects.put("folder/object", b"")
    assert objects.stat("folder") is None
    with pytest.raises(FileNotFoundError):
        objects.read("folder")
    with pytest.raises(FileNotFoundError):
        objects.open("folder")


def test_a_deleted_object_is_gone_and_its_neighbour_stays(objects: ObjectStore) -> None:
    objects.put("folder/1", b"")
    objects.put("folder/2", b"")
    objects.delete("folder/1")
    assert keys(objects, "folder/") == ["folder/2"]
    objects.delete("folder/2")
    assert keys(objects, "folder/") == []
    objects.put("folder/3", b"")
    assert keys(objects, "folder/") == ["folder/3"]


@pytest.mark.edge(20)
def test_keys_are_used_as_they_are(objects: ObjectStore, tmp_path: Path) -> None:
    plain = ["a b+c.x", "a%20b", "größe/ß=1/日.x", "[a]*?{b}", "a\\b'\"", "~", "a?b#c&d"]
    for key in (*plain, "x//y", "/etc/x"):
        objects.put(key, key.encode())
    for key in (*plain, "x//y", "/etc/x"):
        stat = objects.stat(key)
        assert stat is not None
        assert (stat.key, objects.read(key)) == (key, key.encode())
    assert set(plain) <= set(keys(objects))
    assert {path.name for path in tmp_path.iterdir()} <= {"my lake"}


def test_a_key_that_begins_with_a_slash_does_not_leave_the_directory(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    root = tmp_path / "root"
    root.mkdir()
    objects = DirectoryStore(root, setting="CSQ_EXPORT_URL", must_exist=True)
    assert objects.stat(str(outside)) is None
    with pytest.raises(FileNotFoundError):
        objects.read(str(outside))
    with pytest.raises(FileNotFoundError):
        objects.open(str(outside))


def test_a_published_file_replaces_the_object_and_staging_is_gone(objects: ObjectStore) -> None:
    objects.put("raw/x", b"earlier")
    with objects.staging() as folder:
        assert list(folder.iterdir()) == []
        (folder / "new").write_bytes(b"later")
        assert objects.read("raw/x") == b"earlier"
        objects.publish(folder / "new", "raw/x")
        assert objects.read("raw/x") == b"later"
        (folder / "left").write_bytes(b"")
    assert not folder.exists()
    assert keys(objects) == ["raw/x"]


def test_what_fails_on_its_way_leaves_the_object_as_it_was(objects: ObjectStore) -> None:
    objects.put("raw/x", b"earlier")

    def fail() -> None:
        with objects.staging() as folder:
            (folder / "new").write_bytes(b"half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        fail()
    assert (keys(objects), objects.read("raw/x")) == (["raw/x"], b"earlier")


def test_parquet_is_read_in_place(objects: ObjectStore) -> None:
    frame = pl.DataFrame({"user_id": [1, None], "plan": ["größer", None]})
    key = "raw/a b%2F[x]/dump_id=7/data.parquet"
    put_parquet(objects, key, frame)
    assert objects.parquet_metadata(key)["said"] == "größer"
    assert objects.scan_parquet(key).collect().equals(frame)
    assert objects.scan_parquet(key).select("plan").head(1).collect().to_dicts() == [
        {"plan": "größer"}
    ]


def test_places_are_called_as_a_person_would(tmp_path: Path) -> None:
    directory = DirectoryStore(tmp_path, setting="CSQ_LAKE_URL", must_exist=True)
    assert directory.url == str(tmp_path)
    assert BucketStore(None, "customer", setting="CSQ_LAKE_URL").url == "s3://customer"
    assert BucketStore(None, "customer", "a/b", setting="CSQ_LAKE_URL").url == "s3://customer/a/b"


# A directory


def test_a_directory_that_must_exist_is_not_made_by_looking(tmp_path: Path) -> None:
    root = tmp_path / "export"
    objects = DirectoryStore(root, setting="CSQ_EXPORT_URL", must_exist=True)
    with pytest.raises(SettingsError) as refused:
        keys(objects)
    assert str(refused.value) == (
        f"setting CSQ_EXPORT_URL: there is no directory {root}. "
        "Create it, or set CSQ_EXPORT_URL to where the files are."
    )
    assert not root.exists()


def test_a_link_that_leads_nowhere_is_no_object(directory_objects: DirectoryStore) -> None:
    directory_objects.put("a/here", b"")
    (directory_objects.root / "a/gone").symlink_to("nowhere")
    assert keys(directory_objects, "a/") == ["a/here"]


def link_to_itself(root: Path) -> None:
    root.mkdir(exist_ok=True)
    (root / "loop").symlink_to("loop")


@pytest.mark.parametrize(
    "reach",
    [
        lambda objects: objects.read("loop"),
        lambda objects: objects.open("loop"),
        lambda objects: objects.stat("loop"),
        lambda objects: list(objects.list("loop/")),
    ],
)
def test_what_the_system_refuses_is_told_with_the_setting(
    directory_objects: DirectoryStore, reach: Callable[[ObjectStore], object]
) -> None:
    link_to_itself(directory_objects.root)
    with pytest.raises(StorageError) as refused:
        reach(directory_objects)
    said = str(refused.value)
    assert said.startswith(str(directory_objects.root))
    assert said.endswith(
        ": Too many levels of symbolic links. "
        "Check the folder that CSQ_LAKE_URL names, its rights and its disk."
    )


def test_a_name_that_is_too_long_is_told(directory_objects: DirectoryStore) -> None:
    directory_objects.put("here", b"")
    for reach in (directory_objects.read, directory_objects.open, directory_objects.stat):
        with pytest.raises(StorageError, match="File name too long"):
            reach("x" * 300)


def test_writing_where_a_file_is_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    lake = DirectoryStore(tmp_path / "file", setting="CSQ_LAKE_URL", must_exist=False)
    with pytest.raises(SettingsError, match=r"setting CSQ_LAKE_URL: .*file cannot be written"):
        lake.put("a", b"")
    lake = DirectoryStore(tmp_path, setting="CSQ_LAKE_URL", must_exist=False)
    with pytest.raises(StorageError, match=r"file/a: (File exists|Not a directory)\. Check"):
        lake.put("file/a", b"")
    lake.put("folder/a", b"")
    with pytest.raises(StorageError, match=r"folder: Is a directory\. Check"):
        lake.put("folder", b"")
    with pytest.raises(StorageError, match=r"folder: (Is a directory|Operation not permitted)\."):
        lake.delete("folder")
    assert keys(lake) == ["file", "folder/a"]


def test_what_killed_processes_staged_is_removed_a_day_later(
    directory_objects: DirectoryStore,
) -> None:
    staging = directory_objects.root / ".staging"
    directory_objects.abort_unfinished_uploads("raw/", NOON)
    for name, hours in (("left", 25), ("at work", 23)):
        (staging / name).mkdir(parents=True)
        (staging / name / "data.parquet").write_bytes(b"half")
        began = NOON.timestamp() - hours * 3600
        os.utime(staging / name, (began, began))
    LakeStore(directory_objects).remove_unfinished_writes(NOON)
    assert [path.name for path in staging.iterdir()] == ["at work"]


def test_files_and_folders_are_on_the_disk_before_they_are_relied_on(
    directory_objects: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    real_fsync = os.fsync

    def note(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        flushed.append(path.name if path.is_file() else f"{path.relative_to(root.parent)}/")
        real_fsync(descriptor)

    root = directory_objects.root
    monkeypatch.setattr("os.fsync", note)
    directory_objects.put("raw/users/dump_id=1/x", b"")
    assert (flushed[0], sorted(flushed[1:])) == (
        "object",
        ["my lake/", "my lake/raw/", "my lake/raw/users/", "my lake/raw/users/dump_id=1/"],
    )
    flushed.clear()
    directory_objects.put("raw/users/dump_id=1/x", b"")
    assert flushed == ["object", "my lake/raw/users/dump_id=1/"]


# A bucket


@pytest.fixture
def requests(s3_client: Any) -> Iterator[list[str]]:
    """The operations that the client asks for, as they are sent."""
    sent: list[str] = []

    def note(event_name: str, **_: object) -> None:
        sent.append(event_name.rpartition(".")[2])

    s3_client.meta.events.register("before-send.s3", note)
    yield sent
    s3_client.meta.events.unregister("before-send.s3", note)


@pytest.mark.s3
def test_a_small_object_takes_one_request(s3_objects: BucketStore, requests: list[str]) -> None:
    s3_objects.put("a", b"small")
    put_parquet(s3_objects, "b", pl.DataFrame({"user_id": [1]}))
    requests.clear()
    s3_objects.open("a").close()
    s3_objects.read("a")
    s3_objects.parquet_metadata("b")
    frame = s3_objects.scan_parquet("b")
    assert frame.collect_schema().names() == ["user_id"]
    assert frame.collect().to_dicts() == [{"user_id": 1}]
    assert requests == ["GetObject"] * 4


@pytest.mark.s3
def test_a_large_object_goes_to_disk_in_parts(s3_objects: BucketStore, requests: list[str]) -> None:
    s3_objects.put("a", bytes(20 * 1024 * 1024))
    requests.clear()
    with s3_objects.open("a") as file:
        assert not isinstance(file, BytesIO)
        assert file.read() == bytes(20 * 1024 * 1024)
    assert requests == ["GetObject", "HeadObject", *["GetObject"] * 3]


def large_frame() -> pl.DataFrame:
    """A frame that takes more bytes than are read at once, so that Polars asks S3 for it."""
    return pl.DataFrame(
        {"user_id": range(10), "blob": [os.urandom(1024 * 1024) for _ in range(10)]}
    )


@pytest.mark.s3
def test_polars_reads_with_the_credentials_and_the_region_of_the_client(
    s3_client: Any, faulty_s3: FaultyS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3_client.create_bucket(
        Bucket="far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    resource = PooledS3Resource(
        aws_access_key_id="AKIAOFTHERESOURCE",
        aws_secret_access_key="of the resource",
        aws_session_token="token-of-the-resource",
        region_name="us-east-1",
    )
    with closing(open_s3_client(resource)) as client:
        objects = BucketStore(client, "far", setting="CSQ_LAKE_URL")
        put_parquet(objects, "large", large_frame())
        faulty_s3.requests.clear()
        assert objects.parquet_metadata("large")["said"] == "größer"
        assert objects.scan_parquet("large").select("user_id").collect().height == 10
    by_polars = [
        {name.lower(): value for name, value in request.headers.items()}
        for request in faulty_s3.requests
        if not request.headers.get("User-Agent", "").startswith("Boto3")
    ]
    assert by_polars
    for headers in by_polars:
        assert headers["x-amz-security-token"] == "token-of-the-resource"
        assert "Credential=AKIAOFTHERESOURCE/" in headers["authorization"]
        assert "/eu-west-1/s3/" in headers["authorization"]


@pytest.mark.s3
def test_the_reader_pays_for_every_request_where_that_is_set(
    s3_client: Any, faulty_s3: FaultyS3
) -> None:
    body = os.urandom(1024) * 9 * 1024
    s3_client.put_object(Bucket="customer", Key="users/large", Body=body)
    with closing(open_s3_client(PooledS3Resource())) as client:
        export = open_export("s3://customer", "users/", lambda: client, request_payer="requester")
        assert list(export.list_manifests()) == []
        assert export.file_state("s3://customer/users/large").endswith(f" {len(body)}")
        with export.open_file("s3://customer/users/large") as file:
            assert file.read() == body
    payers = [request.headers.get("x-amz-request-payer") for request in faulty_s3.requests]
    assert len(payers) == 6  # a listing, two heads, and three parts of the object
    assert set(payers) == {"requester"}


@pytest.mark.s3
def test_as_many_objects_are_read_at_once_as_there_are_connections(s3_environment: str) -> None:
    assert s3_environment
    for resource, connections in ((PooledS3Resource(), 32), (S3Resource(), 10)):
        with closing(open_s3_client(resource)) as client:
            assert BucketStore(client, "customer", setting="CSQ_EXPORT_URL").at_once == connections


@pytest.mark.s3
def test_uploads_of_killed_processes_are_aborted_a_day_later(
    s3_client: Any, s3_objects: BucketStore
) -> None:
    prefix = "my lake/é/"
    for key in (f"{prefix}raw/users/dump_id=1/data.parquet", f"{prefix}other", "raw/of another"):
        s3_client.create_multipart_upload(Bucket="customer", Key=key)

    def unfinished() -> list[str]:
        uploads = s3_client.list_multipart_uploads(Bucket="customer").get("Uploads", ())
        return sorted(upload["Key"] for upload in uploads)

    began = s3_client.list_multipart_uploads(Bucket="customer")["Uploads"][0]["Initiated"]
    before = unfinished()
    LakeStore(s3_objects).remove_unfinished_writes(began + timedelta(hours=23))
    assert unfinished() == before
    LakeStore(s3_objects).remove_unfinished_writes(began + timedelta(hours=25))
    assert unfinished() == [f"{prefix}other", "raw/of another"]


@pytest.mark.s3
@pytest.mark.parametrize(
    "answer", [error(403, "AccessDenied"), error(501, "NotImplemented"), Answer(400)]
)
def test_who_may_not_abort_uploads_does_without(faulty_s3: FaultyS3, answer: Answer) -> None:
    faulty_s3.always(answer)
    with closing(open_s3_client(PooledS3Resource(max_attempts=0))) as client:
        objects = BucketStore(client, "customer", setting="CSQ_LAKE_URL")
        LakeStore(objects).remove_unfinished_writes(NOON)
    (request,) = faulty_s3.requests
    assert request.path.startswith("/customer?uploads")


@pytest.mark.s3
def test_no_folder_for_what_is_staged_is_told(
    s3_objects: BucketStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="no folder for temporary files can be made") as refused:
        s3_objects.staging().__enter__()
    assert "TMPDIR" in refused.value.remedy


@pytest.mark.parametrize("below", ["", "/lake"])
def test_a_file_in_the_place_of_the_lake_is_a_wrong_setting(tmp_path: Path, below: str) -> None:
    (tmp_path / "taken").write_text("a file")
    store = DirectoryStore(
        Path(f"{tmp_path}/taken{below}"), setting="CSQ_LAKE_URL", must_exist=False
    )
    for reach in (lambda: list(store.list("raw/")), lambda: store.read("ledger/1.json")):
        with pytest.raises(SettingsError) as refused:
            reach()
        assert str(refused.value) == (
            f"setting CSQ_LAKE_URL: {tmp_path / 'taken'} is a file, not a directory. "
            "Set CSQ_LAKE_URL to a directory."
        )
