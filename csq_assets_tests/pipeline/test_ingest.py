"""Tables of dumps into the lake: the partition, and the ledger afterwards."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from csq_assets.dataconnect.check_registry import Severity
from csq_assets.dataconnect.dump_records import Content, DumpRecord, Failure, TableRecord
from csq_assets.errors import FileError, IdentifierError, NameClashError, StorageError
from csq_assets.lake.directory import DirectoryStore
from csq_assets.lake.documents import content_hash
from csq_assets.lake.locations import lake_of
from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.builders import AvroFile, ExportBuilder
from csq_assets_tests.dataconnect.seen import passed
from csq_assets_tests.pipeline.passes import DEFINITIONS, Passes, only_path

WARN = Severity.WARN
ASK_AGAIN = "Ask Contentsquare to redeliver the dump, or replace the file in place."


def test_a_table_of_a_dump_becomes_a_partition(either: Passes) -> None:
    delivery = either.builder.deliver(
        12, users=[{"user_id": 1, "plan": "free"}, {"user_id": 2, "plan": None}], full_resync=True
    )
    outcome = either.decode(12, "users")
    path = only_path(delivery)
    expected = pl.DataFrame(
        {
            "user_id": [1, 2],
            "plan": ["free", None],
            "_dump_id": [12, 12],
            "_source_file": [path, path],
            "_source_row": [0, 1],
        }
    )
    assert either.lake.store.scan("users", 12).collect().equals(expected)
    ingested = outcome.ingested
    assert ingested is not None
    assert ingested.written.location == either.lake.store.location("users", 12)
    assert (ingested.rows, ingested.files, ingested.bytes_read) == (
        2,
        1,
        len(either.builder.get(either.builder.key_of(path))),
    )
    assert (ingested.schema, ingested.avro_types) == (
        expected.schema,
        {"user_id": ("long",), "plan": ("string",)},
    )
    assert ingested.findings == (
        passed("column_drift", WARN, "dump 12 is the first of this table"),
        passed("columns_match_manifest", WARN, "files and manifest agree"),
        passed("text_valid", WARN, "all text is UTF-8"),
        passed("keys_not_null", WARN, "no null in the key of 2 rows"),
    )
    assert either.lake.ledger.records().get(12) == DumpRecord(
        12,
        content_hash(delivery.body),
        (
            TableRecord(
                "users",
                incremental=False,
                files=1,
                content=Content(
                    content_hash(delivery.body),
                    incremental=False,
                    files=1,
                    rows=2,
                    digest=ingested.written.digest,
                ),
            ),
        ),
    )
    assert ingested.written.size_bytes > 0


def test_a_partition_decoded_again_is_the_same(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": n, "plan": str(n)} for n in range(5)], rows_per_file=2)
    before = passes.lake.store.scan("users", 12).collect()
    first = passes.lake.ledger.records().get(12)
    passes.decode(12, "users")
    assert passes.lake.store.scan("users", 12).collect().equals(before)
    assert passes.lake.ledger.records().get(12) == first


def test_a_dump_is_entered_before_anything_of_it_is_decoded(passes: Passes) -> None:
    delivery = passes.builder.deliver(12, users=[{"user_id": 1}], clicks=[], full_resync=["clicks"])
    passes.look()
    passes.take(12)
    assert passes.lake.ledger.records() == {
        12: DumpRecord(
            12,
            content_hash(delivery.body),
            (
                TableRecord("users", incremental=True, files=1),
                TableRecord("clicks", incremental=False, files=0),
            ),
        )
    }
    assert passes.partitions() == set()


def test_a_table_that_the_dump_does_not_list_is_nothing(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1}])
    listed = [passes.ingest(12, table).is_listed for table in ("users", "clicks", DEFINITIONS)]
    assert listed == [True, False, False]


def test_a_dump_whose_manifest_was_never_seen_cannot_be_taken(passes: Passes) -> None:
    with pytest.raises(StorageError, match="dump 12: its manifest is not in the lake"):
        passes.ingest(12, "users")


@pytest.mark.edge(13)
def test_a_dump_without_tables_is_known(passes: Passes) -> None:
    delivery = passes.deliver(12)
    assert passes.lake.ledger.records() == {12: DumpRecord(12, content_hash(delivery.body))}


@pytest.mark.edge(15, 16)
@pytest.mark.parametrize("full_resync", [False, True])
def test_a_table_without_files_is_an_empty_partition(passes: Passes, *, full_resync: bool) -> None:
    passes.deliver(12, users=[], columns={"users": ["user_id", "plan"]}, full_resync=full_resync)
    assert passes.lake.store.scan("users", 12).collect_schema().names() == [
        "user_id",
        "plan",
        "_dump_id",
        "_source_file",
        "_source_row",
    ]
    content = passes.record(12, "users").content
    assert content is not None
    assert (content.rows, content.files, content.incremental) == (0, 0, not full_resync)
    assert passes.findings(12, "users") == {}


@pytest.mark.edge(17)
def test_a_path_that_is_listed_twice_is_read_once(passes: Passes) -> None:
    def list_again(manifest: dict[str, Any]) -> None:
        (table,) = manifest["tables"]
        table["files"] = [*table["files"], *table["files"]]

    passes.deliver(12, users=[{"user_id": 1}], edit=list_again)
    assert passes.rows("users", 12) == [{"user_id": 1}]
    assert passes.record(12, "users").files == 1


@pytest.mark.edge(23)
def test_a_missing_file_fails_its_partition_and_no_other(either: Passes) -> None:
    delivery = either.builder.deliver(
        12, users=[AvroFile([{"user_id": 1}], written=False)], clicks=[{"event": 1}]
    )
    users, clicks = either.decode_all(12)
    path = only_path(delivery)
    said = f"dump 12, table users, file {path}: there is no such file. {ASK_AGAIN}"
    assert isinstance(users.error, FileError)
    assert (str(users.error), users.findings, clicks.error) == (said, (), None)
    assert either.partitions() == {("clicks", 12)}
    assert either.record(12, "users") == TableRecord(
        "users",
        incremental=True,
        files=1,
        failure=Failure(content_hash(delivery.body), said, either.now, path, "missing"),
    )


@pytest.mark.edge(23)
def test_a_file_that_is_repaired_in_place_is_enough(either: Passes) -> None:
    delivery = either.deliver(12, users=[AvroFile([{"user_id": 1}], written=False)])
    path = only_path(delivery)
    failure = either.record(12, "users").failure
    assert failure is not None
    either.builder.put(either.builder.key_of(path), encode_avro([{"user_id": 1}]))
    assert either.export.file_state(path) != failure.file_state

    outcome = either.decode(12, "users")
    assert (outcome.error, either.rows("users", 12)) == (None, [{"user_id": 1}])
    assert either.record(12, "users").failure is None


GOOD = encode_avro([{"user_id": n, "plan": "x" * n} for n in range(200)], block_rows=50)
FLIPPED = bytearray(GOOD)
FLIPPED[len(GOOD) // 2] ^= 0x10


@pytest.mark.edge(24)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        GOOD[: len(GOOD) // 2],
        GOOD[:-1],
        bytes(FLIPPED),
        GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
        GOOD.replace(b"snappy", b"snoopy"),
        b"no Avro at all",
    ],
    ids=["empty", "half", "a byte short", "flipped", "sync marker", "codec", "text"],
)
def test_a_damaged_file_fails_its_partition_and_leaves_what_was_there(
    passes: Passes, body: bytes
) -> None:
    first = passes.deliver(12, users=[{"user_id": 1}])
    content = passes.record(12, "users").content
    again = passes.builder.deliver(
        12, users=[AvroFile([{"user_id": 1}]), AvroFile(body=body)], columns={"users": ["user_id"]}
    )
    outcome = passes.decode(12, "users")
    damaged = again.paths["users"][1]
    assert isinstance(outcome.error, FileError)
    assert outcome.error.where == {"dump": 12, "table": "users", "file": damaged}
    assert outcome.error.remedy
    assert passes.rows("users", 12) == [{"user_id": 1}]
    failed = passes.record(12, "users")
    assert failed.content == content
    assert failed.content is not None
    assert failed.content.manifest == content_hash(first.body)
    assert failed.failure == Failure(
        content_hash(again.body),
        str(outcome.error),
        passes.now,
        damaged,
        passes.export.file_state(damaged),
    )


@pytest.mark.edge(24)
def test_a_damaged_file_leaves_nothing_where_nothing_was(either: Passes) -> None:
    either.builder.deliver(12, users=[AvroFile(body=bytes(FLIPPED))])
    assert either.decode(12, "users").error is not None
    assert either.partitions() == set()
    assert [found.key for found in either.lake.store.objects.list("raw/")] == []


@pytest.mark.edge(18)
@pytest.mark.s3
def test_a_path_in_another_bucket_fails_its_partition(
    s3_export: ExportBuilder, directory_objects: DirectoryStore
) -> None:
    lake = lake_of(directory_objects)
    passes = Passes(s3_export, lake)
    elsewhere = "s3://another/sync_12/users/a.avro"
    s3_export.deliver(12, users=[AvroFile([{"user_id": 1}], listed_as=elsewhere)])
    outcome = passes.decode(12, "users")
    assert str(outcome.error) == (
        f"dump 12, table users, file {elsewhere}: the path lies in another bucket than "
        '"customer", so nothing is read from there. If the export was copied, mirror it into a '
        "directory and set CSQ_EXPORT_URL to that."
    )
    failure = passes.record(12, "users").failure
    assert failure is not None
    assert (failure.file, failure.file_state) == (elsewhere, None)
    assert passes.partitions() == set()


@pytest.mark.edge(19)
def test_a_path_that_leads_out_fails_its_partition(passes: Passes, tmp_path: Path) -> None:
    (tmp_path / "outside.avro").write_bytes(encode_avro([{"user_id": 7}]))
    outside = "s3://customer/../outside.avro"
    passes.builder.deliver(12, users=[AvroFile([{"user_id": 1}], listed_as=outside)])
    outcome = passes.decode(12, "users")
    assert isinstance(outcome.error, FileError)
    assert outcome.error.message == 'the path contains "..", so nothing is read from there'
    assert passes.partitions() == set()


def test_a_name_that_the_system_refuses_fails_its_partition(passes: Passes) -> None:
    path = f"s3://customer/{'x' * 300}.avro"
    passes.builder.deliver(12, users=[AvroFile([{"user_id": 1}], listed_as=path)])
    outcome = passes.decode(12, "users")
    assert isinstance(outcome.error, StorageError)
    assert "File name too long" in outcome.error.message
    failure = passes.record(12, "users").failure
    assert failure is not None
    assert (failure.file, failure.file_state) == (path, None)


@pytest.mark.edge(35)
@pytest.mark.parametrize(
    ("table", "row", "missing"),
    [
        ("users", {"plan": "free"}, "user_id"),
        ("sessions", {"user_id": 1, "event_id": 2}, "session_id"),
    ],
)
def test_a_file_without_the_ids_of_its_table_fails_the_partition(
    passes: Passes, table: str, row: dict[str, Any], missing: str
) -> None:
    delivery = passes.builder.deliver(12, tables={table: [row]})
    outcome = passes.decode(12, table)
    assert isinstance(outcome.error, IdentifierError)
    assert outcome.error.where == {
        "dump": 12,
        "table": table,
        "file": only_path(delivery, table),
        "column": missing,
    }
    assert passes.partitions() == set()


@pytest.mark.edge(31)
def test_a_value_that_is_no_id_fails_the_partition_by_its_place(passes: Passes) -> None:
    delivery = passes.builder.deliver(12, users=[{"user_id": "123"}, {"user_id": "12x"}])
    outcome = passes.decode(12, "users")
    assert isinstance(outcome.error, IdentifierError)
    assert outcome.error.where == {
        "dump": 12,
        "table": "users",
        "file": only_path(delivery),
        "row": 1,
        "column": "user_id",
    }


def test_a_column_named_like_our_own_fails_the_table_not_the_dump(passes: Passes) -> None:
    passes.builder.deliver(12, users=[{"user_id": 1, "_Dump_ID": 7}], clicks=[{"a": 1}])
    users, clicks = passes.decode_all(12)
    assert isinstance(users.error, NameClashError)
    assert clicks.error is None
    assert passes.partitions() == {("clicks", 12)}
