"""What the builder of exports writes, over a directory and over S3."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest

from csq_assets.dataconnect.manifest import Manifest, TableDump, parse_manifest
from csq_assets_tests.avro_files import avro_schema, encode_avro
from csq_assets_tests.builders import AvroFile, ExportBuilder
from csq_assets_tests.targets import DirectoryTarget, S3Target

LONG_AGO = datetime(2026, 3, 1, 6, 45, tzinfo=UTC)


def _complete(
    dump_id: int, table: str, columns: tuple[str, ...], files: tuple[str, ...]
) -> TableDump:
    return TableDump(dump_id, table, incremental=False, columns=columns, files=files)


def read_avro(body: bytes) -> list[Any]:
    return list(fastavro.reader(io.BytesIO(body)))


def test_a_delivery_is_a_manifest_and_its_files(export: ExportBuilder) -> None:
    delivery = export.deliver(
        12,
        users=[{"user_id": 1, "plan": "free"}, {"user_id": 2, "plan": None}],
        user_migrations=[],
        full_resync=("users",),
        columns={"user_migrations": ["from_user_id", "to_user_id", "time"]},
        property_definitions={"plan": "how they pay"},
    )

    (path,) = delivery.paths["users"]
    definitions = "sync_12/property_definitions.json"
    assert parse_manifest(export.get("manifests/sync_12.json")) == Manifest(
        dump_id=12,
        tables=(
            _complete(12, "users", ("user_id", "plan"), (path,)),
            _complete(12, "user_migrations", ("from_user_id", "to_user_id", "time"), ()),
        ),
        property_definitions=f"s3://customer/{definitions}",
    )
    assert export.list_keys() == ["manifests/sync_12.json", definitions, export.key_of(path)]
    assert export.get(definitions) == b'{"plan": "how they pay"}'
    assert read_avro(export.get(export.key_of(path))) == [
        {"user_id": 1, "plan": "free"},
        {"user_id": 2, "plan": None},
    ]


def test_delivering_again_writes_the_same_and_other_rows_other_files(
    export: ExportBuilder,
) -> None:
    first = export.deliver(12, users=[{"user_id": 1}])
    before = {key: export.get(key) for key in export.list_keys()}
    again = export.deliver(12, users=[{"user_id": 1}])
    assert again == first
    assert {key: export.get(key) for key in export.list_keys()} == before

    other = export.deliver(12, users=[{"user_id": 2}])
    assert other.body != first.body
    assert set(export.list_keys()) == {*before, export.key_of(other.paths["users"][0])}


def test_files_may_be_spelled_out_or_damaged(export: ExportBuilder) -> None:
    delivery = export.deliver(
        7,
        tables={
            "a-b": [
                AvroFile([{"user_id": 1}], name="0_5d2f.avro", codec="deflate"),
                AvroFile([], schema={"user_id": "long"}),
                AvroFile(body=b"", name="empty.avro"),
                AvroFile([{"user_id": 2}], name="gone.avro", written=False),
                AvroFile([{"user_id": 3}], name="here.avro", listed_as="s3://other/here.avro"),
            ]
        },
    )

    folder = "sync_7/a-b"
    named, no_rows, empty, gone, elsewhere = delivery.paths["a-b"]
    assert (named, empty, gone, elsewhere) == (
        f"s3://customer/{folder}/0_5d2f.avro",
        f"s3://customer/{folder}/empty.avro",
        f"s3://customer/{folder}/gone.avro",
        "s3://other/here.avro",
    )
    assert export.get(f"{folder}/empty.avro") == b""
    assert f"{folder}/gone.avro" not in export.list_keys()
    assert f"{folder}/here.avro" in export.list_keys()
    assert read_avro(export.get(export.key_of(no_rows))) == []
    reader = fastavro.reader(io.BytesIO(export.get(export.key_of(named))))
    assert (reader.codec, list(reader)) == ("deflate", [{"user_id": 1}])


def test_rows_are_spread_over_files_in_order(export: ExportBuilder) -> None:
    delivery = export.deliver(7, users=[{"user_id": n} for n in range(5)], rows_per_file=2)
    files = [read_avro(export.get(export.key_of(path))) for path in delivery.paths["users"]]
    assert [[row["user_id"] for row in rows] for rows in files] == [[0, 1], [2, 3], [4]]


def test_a_dump_without_manifest_can_get_one_later(export: ExportBuilder) -> None:
    delivery = export.deliver(
        12,
        users=[],
        with_manifest=False,
        edit=lambda document: document.update(dump_id="12"),
    )
    assert export.list_keys() == []
    assert export.put_manifest(12, delivery.body) == "manifests/sync_12.json"
    assert json.loads(export.get("manifests/sync_12.json"))["dump_id"] == "12"
    export.delete("manifests/sync_12.json")
    assert export.list_keys() == []


def test_reports_are_in_milliseconds(export: ExportBuilder) -> None:
    assert export.report("2026-03-01", status="failed", error={"code": 7}) == (
        "sync_reports/2026-03-01.json"
    )
    export.report("odd.log", start=3, finish=LONG_AGO, next_sync_at=0, omit=["error", "status"])
    export.report("broken", body=b"{")

    assert json.loads(export.get("sync_reports/2026-03-01.json")) == {
        "start_time": 1772341200000,
        "finish_time": 1772343000000,
        "status": "failed",
        "next_sync_at": 1772427600000,
        "error": {"code": 7},
    }
    assert json.loads(export.get("sync_reports/odd.log")) == {
        "start_time": 3,
        "finish_time": 1772347500000,
        "next_sync_at": 0,
    }
    assert export.get("sync_reports/broken.json") == b"{"


def test_a_manifest_may_be_of_an_earlier_time_in_a_directory(tmp_path: Path) -> None:
    export = ExportBuilder(DirectoryTarget(tmp_path))
    export.deliver(12, users=[], modified=LONG_AGO)
    assert (tmp_path / "manifests/sync_12.json").stat().st_mtime == LONG_AGO.timestamp()


@pytest.mark.s3
def test_a_manifest_may_be_of_an_earlier_time_in_a_bucket(
    s3_client: Any, s3_export: ExportBuilder
) -> None:
    s3_export.deliver(12, users=[], modified=LONG_AGO)
    (listed,) = s3_client.list_objects_v2(Bucket="customer")["Contents"]
    assert (listed["Key"], listed["LastModified"]) == (
        "manifests/sync_12.json",
        LONG_AGO,
    )


@pytest.mark.s3
def test_everything_lies_under_the_prefix(s3_client: Any) -> None:
    export = ExportBuilder(S3Target(s3_client, "customer", "team/x"), prefix="team/x/")
    delivery = export.deliver(12, users=[{"user_id": 1}])
    export.report("2026-03-01")
    (path,) = delivery.paths["users"]
    assert export.url == "s3://customer/team/x"
    assert path.startswith("s3://customer/team/x/sync_12/users/part-00000-")
    assert export.list_keys() == [
        "team/x/manifests/sync_12.json",
        export.key_of(path),
        "team/x/sync_reports/2026-03-01.json",
    ]


def test_a_directory_is_not_left(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leads out"):
        ExportBuilder(DirectoryTarget(tmp_path / "export")).put("../outside", b"")
    assert list(tmp_path.iterdir()) == []


def test_types_follow_the_values_unless_given() -> None:
    rows = [
        {
            "whole": 1,
            "half": 0.5,
            "yes": True,
            "text": "a",
            "raw": b"a",
            "gap": 1,
            "mixed": 1,
        },
        {
            "whole": 2,
            "half": 1.0,
            "yes": False,
            "text": "",
            "raw": b"",
            "mixed": "a",
            "none": None,
        },
    ]
    fields = avro_schema(rows, {"whole": "int", "extra": "string"})["fields"]
    assert {field["name"]: field["type"] for field in fields} == {
        "whole": "int",
        "half": "double",
        "yes": "boolean",
        "text": "string",
        "raw": "bytes",
        "gap": ["null", "long"],
        "mixed": ["long", "string"],
        "none": ["null", "string"],
        "extra": "string",
    }
    nested = avro_schema([{"list": [1, None], "map": {"a": "x"}}])["fields"]
    assert [field["type"] for field in nested] == [
        {"type": "array", "items": ["null", "long"]},
        {"type": "map", "values": "string"},
    ]


def test_a_file_can_have_several_blocks() -> None:
    rows = [{"user_id": n, "plan": "free"} for n in range(7)]
    body = encode_avro(rows, block_rows=3)
    blocks = list(fastavro.block_reader(io.BytesIO(body)))
    assert [list(block) for block in blocks] == [rows[:3], rows[3:6], rows[6:]]
