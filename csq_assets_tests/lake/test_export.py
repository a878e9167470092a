"""What is seen of an export, and what is never read, over a directory and over a bucket."""

import os
from pathlib import Path
from typing import Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from csq_assets.errors import FileError, SettingsError, StorageError, printable
from csq_assets.lake.export import Export
from csq_assets.lake.locations import open_export
from csq_assets_tests.as_nobody import as_nobody
from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.targets import DirectoryTarget, S3Target


def look(builder: ExportBuilder) -> Export:
    client = builder.target.client if isinstance(builder.target, S3Target) else None
    return open_export(builder.url, builder.manifest_prefix, lambda: client)


def manifests(builder: ExportBuilder) -> list[str]:
    return sorted(found.key for found in look(builder).list_manifests())


def reports(builder: ExportBuilder) -> list[str]:
    return sorted(found.key for found in look(builder).list_sync_reports())


def read(builder: ExportBuilder, path: str) -> bytes:
    with look(builder).open_file(path) as file:
        return file.read()


def refusal(builder: ExportBuilder, path: str) -> str:
    with pytest.raises(FileError) as refused:
        look(builder).open_file(path)
    assert refused.value.where == {"file": path}
    return str(refused.value).removeprefix(f"file {printable(path)}: ")


MIRROR = (
    "so nothing is read from there. "
    "If the export was copied, mirror it into a directory and set CSQ_EXPORT_URL to that."
)


@pytest.mark.edge(1, 2)
def test_folders_of_data_say_nothing_by_themselves(export: ExportBuilder) -> None:
    half = export.deliver(12, users=[{"user_id": 1}], with_manifest=False)
    export.put("users/date=2026-03-01/part-00000.avro.snappy", b"x")
    export.put("sync_12/property_definitions.json", b"{}")
    assert (manifests(export), reports(export)) == ([], [])
    export.put_manifest(12, half.body)
    assert (manifests(export), reports(export)) == (["manifests/sync_12.json"], [])


def test_manifests_are_visible_json_reports_whatever_is_visible(export: ExportBuilder) -> None:
    for folder in ("manifests", "sync_reports"):
        for name in ("a.json", "deeper/b.json", "c.txt", ".d.json", "e.json.tmp"):
            export.put(f"{folder}/{name}", b"{}")
    export.put("manifests.json", b"{}")
    export.put("manifests2/x.json", b"{}")
    assert manifests(export) == ["manifests/a.json", "manifests/deeper/b.json"]
    assert reports(export) == [
        "sync_reports/a.json",
        "sync_reports/c.txt",
        "sync_reports/deeper/b.json",
        "sync_reports/e.json.tmp",
    ]


@pytest.mark.s3
def test_folder_markers_are_no_reports(s3_export: ExportBuilder) -> None:
    for key in ("manifests/", "sync_reports/", "sync_reports/2026/"):
        s3_export.put(key, b"")
    assert (manifests(s3_export), reports(s3_export)) == ([], [])


@pytest.mark.edge(3)
def test_more_manifests_than_a_directory_lists_at_once(directory_export: ExportBuilder) -> None:
    names = [f"manifests/sync_{dump_id}.json" for dump_id in range(1_100)]
    for name in names:
        directory_export.put(name, b"{}")
    assert manifests(directory_export) == sorted(names)


@pytest.mark.edge(3)
@pytest.mark.s3
def test_more_manifests_than_a_page_of_s3_holds(s3_export: ExportBuilder) -> None:
    names = [f"manifests/sync_{dump_id}.json" for dump_id in range(1_100)]
    for name in names:  # straight into the server, which is in this process
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object("customer", name, b"{}")
    assert manifests(s3_export) == sorted(names)


def test_the_file_of_a_path_is_seekable(export: ExportBuilder) -> None:
    export.put("sync_1/users/a.avro", b"0123456789")
    with look(export).open_file("s3://customer/sync_1/users/a.avro") as file:
        assert (file.read(2), file.seek(-3, 2), file.read()) == (b"01", 7, b"789")


@pytest.mark.edge(20)
def test_a_key_is_used_byte_for_byte(export: ExportBuilder) -> None:
    names = [
        "a b.avro",
        "a+b.avro",
        "a%20b.avro",
        "date=1.avro",
        "größe.avro",
        "a//b.avro",
        "?#.avro",
    ]
    for name in names:
        export.put(f"sync_1/users/{name}", name.encode())
    for name in names:
        assert read(export, f"s3://customer/sync_1/users/{name}") == name.encode()


@pytest.mark.edge(23)
def test_a_file_that_is_not_there_is_told(export: ExportBuilder) -> None:
    export.put("sync_1/users/a.avro", b"")
    for key in ("sync_1/users/b.avro", "sync_1/users", "sync_1/users/a.avro/b", "gone/"):
        assert refusal(export, f"s3://customer/{key}") == (
            "there is no such file. "
            "Ask Contentsquare to redeliver the dump, or replace the file in place."
        )


@pytest.mark.parametrize(
    "path",
    [
        "",
        "sync_1/a.avro",
        "/etc/passwd",
        "https://x/y",
        "s3://customer",
        "s3://customer/",
        "s3:///x",
    ],
)
def test_a_path_is_a_bucket_and_a_key(export: ExportBuilder, path: str) -> None:
    assert refusal(export, path) == f"the path is not of the form s3://bucket/key, {MIRROR}"


def test_a_key_with_a_null_byte_is_refused(export: ExportBuilder) -> None:
    assert refusal(export, "s3://customer/a\0b").startswith("the path is not of the form ")


@pytest.mark.edge(19)
@pytest.mark.parametrize("key", ["../outside.avro", "sync_1/../../outside.avro", "a/..", ".."])
def test_a_path_that_leads_out_is_refused(export: ExportBuilder, tmp_path: Path, key: str) -> None:
    (tmp_path / "outside.avro").write_bytes(b"secret")
    assert refusal(export, f"s3://customer/{key}") == f'the path contains "..", {MIRROR}'


@pytest.mark.edge(20)
def test_dots_within_a_name_lead_nowhere(export: ExportBuilder) -> None:
    export.put("sync_1/..users/a..avro", b"x")
    assert read(export, "s3://customer/sync_1/..users/a..avro") == b"x"


def test_a_key_that_begins_with_a_slash_stays_inside(
    directory_export: ExportBuilder, tmp_path: Path
) -> None:
    (tmp_path / "outside.avro").write_bytes(b"secret")
    assert refusal(directory_export, f"s3://customer/{tmp_path}/outside.avro").startswith(
        "there is no such file. "
    )


@pytest.mark.edge(18)
def test_in_a_directory_the_name_of_the_bucket_does_not_count(
    directory_export: ExportBuilder,
) -> None:
    directory_export.put("sync_1/a.avro", b"x")
    assert read(directory_export, "s3://another/sync_1/a.avro") == b"x"


@pytest.mark.edge(18)
@pytest.mark.s3
def test_a_path_in_another_bucket_is_refused(s3_client: Any, s3_export: ExportBuilder) -> None:
    s3_client.create_bucket(Bucket="another")
    s3_client.put_object(Bucket="another", Key="sync_1/a.avro", Body=b"secret")
    assert refusal(s3_export, "s3://another/sync_1/a.avro") == (
        f'the path lies in another bucket than "customer", {MIRROR}'
    )


@pytest.mark.edge(18)
@pytest.mark.s3
def test_under_a_prefix_nothing_beside_it_is_seen_or_read(s3_client: Any) -> None:
    inside = ExportBuilder(S3Target(s3_client, "customer", "team/x"), prefix="team/x")
    delivery = inside.deliver(12, users=[{"user_id": 1}])
    inside.report("2026-03-01")
    beside = ExportBuilder(S3Target(s3_client, "customer", "team/xy"), prefix="team/xy")
    other = beside.deliver(13, users=[{"user_id": 2}])
    beside.report("2026-03-02")

    assert (manifests(inside), reports(inside)) == (
        ["manifests/sync_12.json"],
        ["sync_reports/2026-03-01.json"],
    )
    (found,) = look(inside).list_manifests()
    assert look(inside).read(found) == delivery.body
    (path,) = delivery.paths["users"]
    assert read(inside, path) == inside.get(inside.key_of(path))
    (outside,) = other.paths["users"]
    for path in (outside, "s3://customer/team/x", "s3://customer/sync_12/users/a.avro"):
        assert refusal(inside, path) == f"the path lies outside s3://customer/team/x, {MIRROR}"


def test_manifests_may_lie_elsewhere(export: ExportBuilder) -> None:
    moved = ExportBuilder(export.target, manifest_prefix="lists/of/dumps/")
    moved.deliver(12, users=[])
    export.deliver(13, users=[])
    assert manifests(moved) == ["lists/of/dumps/sync_12.json"]


def test_a_manifest_that_has_gone_by_now_is_missing(export: ExportBuilder) -> None:
    delivery = export.deliver(12, users=[])
    (found,) = look(export).list_manifests()
    export.delete(delivery.manifest_key)
    with pytest.raises(FileNotFoundError):
        look(export).read(found)


@pytest.mark.edge(23)
def test_the_state_of_a_file_changes_when_it_is_repaired(export: ExportBuilder) -> None:
    path = "s3://customer/sync_1/users/a.avro"
    assert look(export).file_state(path) == "missing"
    export.put("sync_1/users/a.avro", b"cut of")
    damaged = look(export).file_state(path)
    assert look(export).file_state(path) == damaged
    export.put("sync_1/users/a.avro", b"cut off")
    assert len({damaged, look(export).file_state(path), "missing"}) == 3


def test_the_state_of_a_refused_path_is_refused(export: ExportBuilder) -> None:
    with pytest.raises(FileError):
        look(export).file_state("s3://customer/../a")


def test_an_export_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    gone = ExportBuilder(DirectoryTarget(tmp_path / "gone"))
    with pytest.raises(SettingsError, match=r"^setting CSQ_EXPORT_URL: there is no directory "):
        manifests(gone)


def test_an_export_without_rights_is_a_wrong_setting(directory_export: ExportBuilder) -> None:
    directory_export.deliver(12, users=[{"user_id": 1}])
    folder = Path(directory_export.url)
    folder.chmod(0)
    denied = rf"^setting CSQ_EXPORT_URL: {folder}.*: Permission denied\. Give whoever "
    with as_nobody(), pytest.raises(SettingsError, match=denied):
        manifests(directory_export)
    folder.chmod(0o755)
    assert len(manifests(directory_export)) == 1


def test_an_export_without_folders_is_empty(export: ExportBuilder) -> None:
    assert (manifests(export), reports(export)) == ([], [])


def test_a_file_that_the_system_refuses_is_told_with_the_setting(
    directory_export: ExportBuilder,
) -> None:
    path = f"s3://customer/{'x' * 300}.avro"
    for reach in (look(directory_export).open_file, look(directory_export).file_state):
        with pytest.raises(StorageError, match="Check the folder that CSQ_EXPORT_URL names"):
            reach(path)


def test_what_is_no_file_is_neither_listed_nor_read(directory_export: ExportBuilder) -> None:
    directory_export.put("manifests/a.json", b"{}")
    root = directory_export.target.directory  # pyright: ignore[reportAttributeAccessIssue]
    os.mkfifo(root / "manifests" / "pipe.json")
    (root / "manifests" / "loop.json").symlink_to("loop.json")
    (root / "manifests" / "nowhere.json").symlink_to("nowhere")
    (root / "manifests" / "null.json").symlink_to("/dev/null")
    Path(os.fsdecode(bytes(root) + b"/manifests/\xff.json")).write_bytes(b"{}")
    assert manifests(directory_export) == ["manifests/a.json"]
    for name in ("pipe", "null"):
        assert refusal(directory_export, f"s3://customer/manifests/{name}.json").startswith(
            "there is no such file. "
        )
