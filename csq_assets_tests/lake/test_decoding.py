"""Tables of dumps into the lake: the partition, the ledger and the verdict afterwards."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from csq_assets.dataconnect.findings import Severity
from csq_assets.dataconnect.ledger import Content, DumpRecord, Failure, TableRecord
from csq_assets.errors import FileError, IdentifierError, NameClashError, StorageError
from csq_assets.lake.decoding import Decoding, Outcome
from csq_assets.lake.directory import DirectoryStore
from csq_assets.lake.discovery import discover
from csq_assets.lake.documents import LakeDocuments, content_hash
from csq_assets.lake.export import Export
from csq_assets.lake.judging import Judged
from csq_assets.lake.locations import Lake, open_export
from csq_assets.lake.store import LakeStore
from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.builders import AvroFile, Delivery, ExportBuilder, encode_json
from csq_assets_tests.dataconnect.seen import not_passed, passed
from csq_assets_tests.targets import S3Target

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WARN, ERROR = Severity.WARN, Severity.ERROR
ASK_AGAIN = "Ask Contentsquare to deliver the dump again, then run csq sync."
DEFINITIONS = "property_definitions"


@dataclass(slots=True)
class Passes:
    """An export and a lake. Every pass is one of its own, and knows what the lake knows alone."""

    builder: ExportBuilder
    lake: Lake
    now: datetime = NOON

    @property
    def export(self) -> Export:
        target = self.builder.target
        client = target.client if isinstance(target, S3Target) else None
        return open_export(self.builder.url, self.builder.manifest_prefix, lambda: client)

    def begin(self) -> Decoding:
        return Decoding(self.export, self.lake, lambda: self.now)

    def look(self) -> None:
        self.now += timedelta(minutes=1)
        discover(self.export, self.lake.documents)

    def decode(self, dump_id: int, table: str) -> Outcome:
        """Look, and decode one table of one dump."""
        self.look()
        outcome = self.begin().decode(dump_id, table)
        assert outcome is not None
        return outcome

    def deliver(self, dump_id: int, **tables: Any) -> Delivery:
        """Deliver, and decode all its tables in one pass."""
        delivery = self.builder.deliver(dump_id, **tables)
        self.take_all(dump_id)
        return delivery

    def take_all(self, dump_id: int) -> list[Outcome]:
        self.look()
        decoding = self.begin()
        manifest = decoding.take(dump_id)
        listed = [dump.table for dump in manifest.tables]
        if manifest.property_definitions is not None:
            listed.append(DEFINITIONS)
        outcomes = [decoding.decode(dump_id, table) for table in listed]
        return [outcome for outcome in outcomes if outcome is not None]

    def rows(self, table: str, dump_id: int) -> list[dict[str, Any]]:
        """The partition's rows as delivered, our own columns left out."""
        frame = self.lake.store.scan(table, dump_id).collect()
        return frame.drop("_dump_id", "_source_file", "_source_row").to_dicts()

    def record(self, dump_id: int, table: str) -> TableRecord:
        dump = self.lake.documents.record(dump_id)
        assert dump is not None
        record = dump.table(table)
        assert record is not None
        return record

    def findings(self, dump_id: int, table: str) -> dict[str, str]:
        """What does not pass, as the ledger has it."""
        return {one.check: one.description for one in self.record(dump_id, table).findings}

    def partitions(self) -> set[tuple[str, int]]:
        return set(self.lake.store.partitions())


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


def only_path(delivery: Delivery, table: str = "users") -> str:
    (path,) = delivery.paths[table]
    return path


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
    assert replace(outcome, seconds=0, size_bytes=0, digest="") == Outcome(
        dump_id=12,
        table="users",
        incremental=False,
        location=either.lake.store.location("users", 12),
        rows=2,
        files=1,
        bytes_read=len(either.builder.get(either.builder.key_of(path))),
        schema=expected.schema,
        avro_types={"user_id": ("long",), "plan": ("string",)},
        judged=(
            Judged(
                12,
                (
                    passed("column_drift", WARN, "dump 12 is the first of this table"),
                    passed("columns_match_manifest", WARN, "files and manifest agree"),
                    passed("keys_not_null", WARN, "no null in the key of 2 rows"),
                ),
            ),
        ),
    )
    assert either.lake.documents.record(12) == DumpRecord(
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
                    digest=outcome.digest,
                ),
            ),
        ),
    )
    assert outcome.size_bytes > 0


def test_a_partition_decoded_again_is_the_same(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": n, "plan": str(n)} for n in range(5)], rows_per_file=2)
    before = passes.lake.store.scan("users", 12).collect()
    first = passes.lake.documents.record(12)
    passes.decode(12, "users")
    assert passes.lake.store.scan("users", 12).collect().equals(before)
    assert passes.lake.documents.record(12) == first


def test_a_dump_is_entered_before_anything_of_it_is_decoded(passes: Passes) -> None:
    delivery = passes.builder.deliver(12, users=[{"user_id": 1}], clicks=[], full_resync=["clicks"])
    passes.look()
    manifest = passes.begin().take(12)
    assert [dump.table for dump in manifest.tables] == ["users", "clicks"]
    assert passes.lake.documents.records() == {
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
    before = passes.lake.documents.record(12)
    assert passes.begin().decode(12, "clicks") is None
    assert passes.begin().decode(12, DEFINITIONS) is None
    assert passes.lake.documents.record(12) == before


def test_a_dump_whose_manifest_was_never_seen_cannot_be_taken(passes: Passes) -> None:
    with pytest.raises(StorageError, match="dump 12: its manifest is not in the lake"):
        passes.begin().decode(12, "users")


@pytest.mark.edge(13)
def test_a_dump_without_tables_is_known(passes: Passes) -> None:
    delivery = passes.deliver(12)
    assert passes.lake.documents.records() == {12: DumpRecord(12, content_hash(delivery.body))}


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


# What is wrong with a delivery


@pytest.mark.edge(23)
def test_a_missing_file_fails_its_partition_and_no_other(either: Passes) -> None:
    delivery = either.builder.deliver(
        12, users=[AvroFile([{"user_id": 1}], written=False)], clicks=[{"event": 1}]
    )
    users, clicks = either.take_all(12)
    path = only_path(delivery)
    said = f"dump 12, table users, file {path}: there is no such file. {ASK_AGAIN}"
    assert isinstance(users.error, FileError)
    assert (str(users.error), users.judged, clicks.error) == (said, (), None)
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
    lake = Lake(LakeStore(directory_objects), LakeDocuments(directory_objects))
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
    users, clicks = passes.take_all(12)
    assert isinstance(users.error, NameClashError)
    assert clicks.error is None
    assert passes.partitions() == {("clicks", 12)}


# Columns, types and keys


@pytest.mark.edge(28, 29, 30)
def test_files_of_different_fields_are_united_by_name(passes: Passes) -> None:
    passes.deliver(
        12,
        users=[
            AvroFile([{"user_id": 1, "plan": "free"}]),
            AvroFile([{"city": "Ulm", "user_id": 2}]),
        ],
        columns={"users": ["plan", "user_id", "tier"]},
    )
    assert passes.rows("users", 12) == [
        {"plan": "free", "user_id": 1, "tier": None, "city": None},
        {"plan": None, "user_id": 2, "tier": None, "city": "Ulm"},
    ]
    assert passes.findings(12, "users") == {
        "columns_match_manifest": 'files of dump 12 lack "tier" and add "city"'
    }


@pytest.mark.edge(40)
def test_nulls_in_a_key_are_kept_and_told(passes: Passes) -> None:
    rows = [
        {"user_id": 1, "event_id": None},
        {"user_id": None, "event_id": None},
        {"user_id": 2, "event_id": 3},
    ]
    passes.deliver(12, pageviews=rows)
    assert passes.rows("pageviews", 12) == rows
    assert passes.findings(12, "pageviews") == {
        "keys_not_null": "user_id is null in 1, event_id is null in 2 of 3 rows"
    }


@pytest.mark.edge(69)
def test_a_column_that_came_warns_and_one_that_went_is_an_error(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1, "tier": "a"}])
    passes.deliver(13, users=[{"user_id": 1, "tier": "a", "plan": "b"}])
    passes.deliver(14, users=[{"user_id": 1, "plan": "b"}])
    assert passes.record(13, "users").findings == (
        not_passed("column_drift", WARN, 'dump 13 adds "plan"'),
    )
    assert passes.record(14, "users").findings == (
        not_passed("column_drift", ERROR, 'dump 14 removes "tier"'),
    )


@pytest.mark.edge(58, 70)
def test_a_column_of_another_avro_type_is_readable_and_an_error(passes: Passes) -> None:
    passes.deliver(12, user_migrations=[{"from_user_id": 1, "to_user_id": 2}])
    passes.deliver(13, user_migrations=[{"from_user_id": "1", "to_user_id": 2}])
    for dump_id in (12, 13):
        assert passes.rows("user_migrations", dump_id) == [{"from_user_id": "1", "to_user_id": "2"}]
    assert passes.record(13, "user_migrations").findings == (
        not_passed("column_drift", ERROR, 'dump 13 changes "from_user_id" from long to string'),
    )


def test_nullable_and_reordered_is_no_drift(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1, "plan": "free"}])
    passes.deliver(13, users=[{"plan": None, "user_id": 1}, {"plan": "pro", "user_id": None}])
    assert set(passes.findings(13, "users")) == {"keys_not_null"}


# Dumps that come late, or again


@pytest.mark.edge(5)
def test_a_late_dump_has_the_next_one_judged_again(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1}])
    passes.deliver(14, users=[{"user_id": 1, "plan": "free"}])
    passes.deliver(15, users=[{"user_id": 1, "plan": "free"}])
    assert passes.findings(14, "users") == {"column_drift": 'dump 14 adds "plan"'}

    passes.builder.deliver(13, users=[{"user_id": 1, "plan": "free"}])
    outcome = passes.decode(13, "users")
    assert [one.dump_id for one in outcome.judged] == [13, 14]
    assert [one.findings[0].description for one in outcome.judged] == [
        'dump 13 adds "plan"',
        "same columns as dump 13",
    ]
    assert passes.findings(13, "users") == {"column_drift": 'dump 13 adds "plan"'}
    assert passes.findings(14, "users") == passes.findings(15, "users") == {}


def test_a_dump_is_judged_against_the_numerically_previous_of_its_table(passes: Passes) -> None:
    passes.deliver(9, users=[{"user_id": 1}])
    passes.deliver(852, clicks=[{"a": 1}])
    passes.deliver(1000, users=[{"user_id": 1}, {"user_id": 2}])
    judged = passes.begin().judge(1000, "users")
    assert judged.findings[0].description == "same columns as dump 9"


@pytest.mark.edge(7)
def test_a_redelivery_replaces_the_partition(either: Passes) -> None:
    either.deliver(12, users=[{"user_id": 1}, {"user_id": 2}])
    again = either.deliver(12, users=[{"user_id": 3, "plan": "pro"}], full_resync=True)
    assert either.rows("users", 12) == [{"user_id": 3, "plan": "pro"}]
    content = either.record(12, "users").content
    assert content is not None
    assert (content.manifest, content.incremental, content.rows) == (
        content_hash(again.body),
        False,
        1,
    )
    assert either.partitions() == {("users", 12)}


@pytest.mark.edge(7)
def test_a_redelivery_that_drops_a_table_drops_its_partition(either: Passes) -> None:
    either.deliver(12, users=[{"user_id": 1}], clicks=[{"a": 1}], property_definitions={"a": 1})
    either.deliver(13, clicks=[{"a": 1}])
    assert len(either.partitions()) == 4
    again = either.deliver(12, users=[{"user_id": 1}])
    assert either.partitions() == {("users", 12), ("clicks", 13)}
    record = either.lake.documents.record(12)
    assert record is not None
    assert (record.manifest, [table.table for table in record.tables]) == (
        content_hash(again.body),
        ["users"],
    )


@pytest.mark.edge(7)
def test_a_partition_that_could_not_be_dropped_is_dropped_the_next_time(
    passes: Passes, tmp_path: Path
) -> None:
    passes.deliver(12, users=[{"user_id": 1}], clicks=[{"a": 1}])
    passes.builder.deliver(12, users=[{"user_id": 1}])
    passes.look()
    (partition,) = tmp_path.rglob("raw/clicks/dump_id=12/data.parquet")
    held = partition.rename(tmp_path / "held")
    partition.mkdir()  # which cannot be deleted like a file
    with pytest.raises(StorageError):
        passes.begin().take(12)
    partition.rmdir()
    held.rename(partition)
    passes.begin().take(12)
    assert passes.partitions() == {("users", 12)}


@pytest.mark.edge(7)
def test_a_redelivery_that_fails_leaves_the_earlier_content_in_force(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1, "plan": "a"}], full_resync=True)
    passes.deliver(13, users=[{"user_id": 1}])
    before = passes.record(12, "users")
    passes.deliver(12, users=[AvroFile([{"user_id": 9}], written=False)])
    after = passes.record(12, "users")
    assert passes.rows("users", 12) == [{"user_id": 1, "plan": "a"}]
    assert (after.content, after.incremental) == (before.content, True)
    assert after.failure is not None
    state = after.state(12)
    assert state is not None
    assert (state.has_content, state.failed, state.incremental) == (True, True, False)
    assert passes.findings(13, "users") == {"column_drift": 'dump 13 removes "plan"'}


def test_findings_of_the_earlier_content_go_with_it(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": None}, {"user_id": 1}])
    assert set(passes.findings(12, "users")) == {"keys_not_null"}
    passes.deliver(12, users=[{"user_id": 2}])
    assert passes.findings(12, "users") == {}


# Partitions that were lost


def test_partitions_that_were_lost_are_decoded_again_one_by_one(passes: Passes) -> None:
    for dump_id in (12, 13, 14):
        passes.deliver(dump_id, users=[{"user_id": dump_id}])
    for dump_id in (12, 13, 14):
        passes.lake.store.delete("users", dump_id)
    decoding = passes.begin()
    assert list(decoding.contents("users")) == []
    judged = []
    for dump_id in (13, 12, 14):
        outcome = decoding.decode(dump_id, "users")
        assert outcome is not None
        judged.append([one.dump_id for one in outcome.judged])
    assert judged == [[13], [12, 13], [14]]
    assert passes.partitions() == {("users", 12), ("users", 13), ("users", 14)}
    assert sorted(decoding.contents("users")) == [12, 13, 14]


def test_a_lost_partition_that_cannot_be_decoded_again_is_a_gap(passes: Passes) -> None:
    delivery = passes.deliver(12, users=[{"user_id": 1}])
    passes.lake.store.delete("users", 12)
    passes.builder.delete(passes.builder.key_of(only_path(delivery)))
    assert passes.decode(12, "users").error is not None
    record = passes.record(12, "users")
    assert record.content is None
    state = record.state(12)
    assert state is not None
    assert (state.has_content, state.failed) == (False, True)


def test_two_passes_may_meet_at_one_dump(passes: Passes) -> None:
    passes.builder.deliver(12, users=[{"user_id": 1}], clicks=[{"a": 1}])
    passes.look()
    first, second = passes.begin(), passes.begin()
    first.decode(12, "users")
    second.decode(12, "clicks")
    assert passes.partitions() == {("users", 12), ("clicks", 12)}
    assert passes.record(12, "users").content is not None
    assert passes.record(12, "clicks").content is not None


# Property definitions


@pytest.mark.edge(79)
@pytest.mark.parametrize("document", [{"plan": {"how": "größer"}}, [1, [2]], "text", 17])
def test_property_definitions_are_kept_as_delivered(passes: Passes, document: Any) -> None:
    passes.deliver(12, users=[{"user_id": 1}], property_definitions=document)
    assert passes.lake.store.scan(DEFINITIONS, 12).collect().to_dicts() == [
        {
            "document": encode_json(document).decode(),
            "_dump_id": 12,
            "_source_file": "s3://customer/sync_12/property_definitions.json",
            "_source_row": 0,
        }
    ]
    record = passes.record(12, DEFINITIONS)
    assert record.content is not None
    assert (record.content.rows, record.files, record.findings) == (1, 1, ())


@pytest.mark.edge(77)
@pytest.mark.parametrize("edit", [lambda _: None, lambda m: m.update(property_definitions=None)])
def test_a_dump_without_property_definitions_fails_nothing(passes: Passes, edit: Any) -> None:
    passes.deliver(12, users=[{"user_id": 1}], edit=edit)
    assert passes.partitions() == {("users", 12)}


@pytest.mark.edge(78)
def test_property_definitions_inside_a_table_are_found(passes: Passes) -> None:
    def move_inside(manifest: dict[str, Any]) -> None:
        path = manifest.pop("property_definitions")
        manifest["tables"][0]["property_definitions"] = path

    passes.deliver(12, users=[{"user_id": 1}], property_definitions={"a": 1}, edit=move_inside)
    assert passes.lake.store.scan(DEFINITIONS, 12).collect()["document"].to_list() == ['{"a": 1}']


def test_property_definitions_that_are_missing_or_no_json_fail_alone(passes: Passes) -> None:
    passes.builder.deliver(12, users=[{"user_id": 1}], property_definitions=b"{ no")
    users, definitions = passes.take_all(12)
    path = "s3://customer/sync_12/property_definitions.json"
    assert users.error is None
    assert isinstance(definitions.error, FileError)
    assert str(definitions.error).startswith(
        f"dump 12, table property_definitions, file {path}: not JSON: "
    )
    passes.builder.delete("sync_12/property_definitions.json")
    assert str(passes.decode(12, DEFINITIONS).error) == (
        f"dump 12, table property_definitions, file {path}: there is no such file. {ASK_AGAIN}"
    )
    failure = passes.record(12, DEFINITIONS).failure
    assert failure is not None
    assert (failure.file, failure.file_state) == (path, "missing")
    assert passes.partitions() == {("users", 12)}


# Judging what is there


def test_a_partition_can_be_judged_again_without_its_files(either: Passes) -> None:
    either.deliver(12, users=[{"user_id": 1}])
    delivery = either.deliver(13, users=[{"user_id": 1, "plan": "free"}, {"user_id": None}])
    findings = either.record(13, "users").findings
    record = either.lake.documents.record(13)
    assert record is not None
    cleared = replace(either.record(13, "users"), findings=())
    either.lake.documents.save_record(record.with_table(cleared))
    either.builder.delete(either.builder.key_of(only_path(delivery)))

    judged = either.begin().judge(13, "users")
    assert judged == Judged(
        13,
        (
            not_passed("column_drift", WARN, 'dump 13 adds "plan"'),
            passed("columns_match_manifest", WARN, "files and manifest agree"),
            not_passed("keys_not_null", WARN, "user_id is null in 1 of 2 rows"),
        ),
    )
    assert (
        either.record(13, "users").findings
        == findings
        == (
            judged.findings[0],
            judged.findings[2],
        )
    )


def test_a_partition_that_is_not_there_cannot_be_judged(passes: Passes) -> None:
    passes.deliver(12, users=[{"user_id": 1}])
    passes.lake.store.delete("users", 12)
    with pytest.raises(StorageError, match=r"^dump 12, table users: .* cannot be read: "):
        passes.begin().judge(12, "users")
