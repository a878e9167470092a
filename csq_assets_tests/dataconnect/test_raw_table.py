"""A table of a dump: united columns, rows in manifest order, nothing read that is damaged."""

import io
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import cramjam
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.io.plugins import register_io_source

from csq_assets.dataconnect.manifest import TableDump
from csq_assets.dataconnect.raw_schema import DecodeTotals, FileColumn, RawSchema, ReplacedTexts
from csq_assets.dataconnect.raw_table import RawPartition, UnknownColumnsError, write_partition
from csq_assets.errors import FileError, IdentifierError, NameClashError
from csq_assets_tests.avro.avro_bytes import block, header, plain_rows, record
from csq_assets_tests.avro_files import encode_avro

EVENT = record(user_id="long", event_id="long", path="string")


class Bucket:
    """Files by path, which knows which of them are open, and which were opened."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.opened: list[str] = []
        self.open_now: set[str] = set()
        self.most_open = 0
        self._lock = threading.Lock()

    def open_file(self, path: str) -> BinaryIO:
        if path not in self.files:
            raise FileError("the file is missing")
        bucket = self

        class Tracked(io.BytesIO):
            def close(self) -> None:
                super().close()
                bucket.open_now.discard(path)

        with self._lock:
            self.opened.append(path)
            self.open_now.add(path)
            self.most_open = max(self.most_open, len(self.open_now))
        return Tracked(self.files[path])


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    frame: pl.DataFrame
    raw_schema: RawSchema
    totals: DecodeTotals


def write(partition: RawPartition) -> Written:
    frames = list(partition.frames())
    assert all(frame.schema == partition.schema and frame.height for frame in frames)
    frame = pl.concat([pl.DataFrame(schema=partition.schema), *frames])
    return Written(frame, partition.raw_schema, partition.totals)


def dump_of(
    files: Sequence[str], columns: Sequence[str] = (), table: str = "pageviews"
) -> TableDump:
    return TableDump(
        dump_id=7, table=table, incremental=True, columns=tuple(columns), files=tuple(files)
    )


def written(
    files: Mapping[str, bytes], columns: Sequence[str] = (), table: str = "clicks", **options: int
) -> Written:
    bucket = Bucket(files)
    result = write_partition(
        dump_of(tuple(files), columns, table), bucket.open_file, write, **options
    )
    assert bucket.open_now == set()
    return result


def events(*ids: int) -> list[dict[str, Any]]:
    return [{"user_id": one, "event_id": one * 10, "path": f"/{one}"} for one in ids]


@pytest.mark.edge(22)
def test_batches_of_a_wide_table_have_64_rows_though_its_blocks_have_one() -> None:
    schema = record(**{f"c{number}": ["null", "string"] for number in range(16_000)})
    body = header(schema) + block(1, bytes(16_000)) * 65
    heights = write_partition(
        dump_of(["a"]),
        Bucket({"a": body}).open_file,
        lambda partition: [frame.height for frame in partition.frames()],
    )
    assert heights == [64, 1]


def test_rows_are_in_manifest_order_and_know_where_they_come_from() -> None:
    files = {
        "s3://b/part-2.avro": encode_avro(events(1, 2, 3), EVENT, block_rows=2),
        "s3://b/part-10.avro": encode_avro(events(4), EVENT),
        "s3://b/part-1.avro": encode_avro(events(5, 6), EVENT),
    }
    result = written(files, ["path", "user_id", "event_id"], "pageviews")
    assert result.frame.schema == {
        "path": pl.String(),
        "user_id": pl.Int64(),
        "event_id": pl.Int64(),
        "_dump_id": pl.Int64(),
        "_source_file": pl.String(),
        "_source_row": pl.Int64(),
    }
    assert result.frame.rows() == [
        ("/1", 1, 10, 7, "s3://b/part-2.avro", 0),
        ("/2", 2, 20, 7, "s3://b/part-2.avro", 1),
        ("/3", 3, 30, 7, "s3://b/part-2.avro", 2),
        ("/4", 4, 40, 7, "s3://b/part-10.avro", 0),
        ("/5", 5, 50, 7, "s3://b/part-1.avro", 0),
        ("/6", 6, 60, 7, "s3://b/part-1.avro", 1),
    ]
    assert result.totals == DecodeTotals(
        files=3,
        rows=6,
        bytes_read=sum(map(len, files.values())),
        key_nulls={"user_id": 0, "event_id": 0},
    )


@pytest.mark.edge(15, 16)
def test_a_table_without_files_has_columns_and_no_rows() -> None:
    result = written({}, ["user_id", "event_id", "path"], "pageviews")
    assert result.frame.rows() == []
    assert list(result.frame.schema.items()) == [
        ("user_id", pl.Int64()),
        ("event_id", pl.Int64()),
        ("path", pl.String()),
        ("_dump_id", pl.Int64()),
        ("_source_file", pl.String()),
        ("_source_row", pl.Int64()),
    ]
    assert result.raw_schema == RawSchema(("user_id", "event_id", "path"), None)
    assert result.totals == DecodeTotals(0, 0, 0, {"user_id": 0, "event_id": 0})


@pytest.mark.edge(25)
def test_a_file_without_rows_is_read_and_adds_none() -> None:
    files = {
        "a": encode_avro([], EVENT),
        "b": encode_avro(events(1), EVENT),
        "c": header(EVENT) + block(0, b""),
    }
    result = written(files, ["user_id", "event_id", "path"], "pageviews")
    assert result.frame.rows() == [(1, 10, "/1", 7, "b", 0)]
    assert result.totals.files == 3


@pytest.mark.edge(26)
def test_an_id_with_and_without_null_is_one_column() -> None:
    schemas = ("long", ["null", "long"], ["long", "null"])
    files = {
        str(index): encode_avro([{"session_id": index}], record(session_id=declared))
        for index, declared in enumerate(schemas)
    }
    result = written(files, ["session_id"])
    assert result.frame["session_id"].to_list() == [0, 1, 2]
    assert result.frame.schema["session_id"] == pl.Int64
    assert result.raw_schema.file_columns == (FileColumn("session_id", ("long",), files=3),)


@pytest.mark.edge(27)
def test_files_of_several_codecs_are_one_table() -> None:
    codecs = ("snappy", "deflate", "null", "xz", "bzip2")
    files = {codec: encode_avro([{"plan": codec}], codec=codec) for codec in codecs}
    assert written(files, ["plan"]).frame["plan"].to_list() == list(codecs)


@pytest.mark.edge(28, 29, 30)
def test_files_with_different_columns_are_united_by_name() -> None:
    files = {
        "a": encode_avro([{"plan": "pro", "age": 30}]),
        "b": encode_avro([{"tier": True, "plan": "free"}]),
        "c": encode_avro([{"city": None, "age": "old"}], record(city="null", age="string")),
    }
    result = written(files, ["never", "plan"])
    assert result.frame.drop("_dump_id", "_source_row").to_dicts() == [
        {
            "never": None,
            "plan": "pro",
            "age": "30",
            "tier": None,
            "city": None,
            "_source_file": "a",
        },
        {
            "never": None,
            "plan": "free",
            "age": None,
            "tier": "true",
            "city": None,
            "_source_file": "b",
        },
        {
            "never": None,
            "plan": None,
            "age": "old",
            "tier": None,
            "city": None,
            "_source_file": "c",
        },
    ]
    assert result.raw_schema == RawSchema(
        manifest_columns=("never", "plan"),
        file_columns=(
            FileColumn("plan", ("string",), files=2),
            FileColumn("age", ("long", "string"), files=2),
            FileColumn("tier", ("boolean",), files=1),
            FileColumn("city", ("null",), files=1),
        ),
        files=3,
    )
    assert result.raw_schema.lacking == {"never": 3, "plan": 1}
    assert result.raw_schema.extra == {"age": 2, "tier": 1, "city": 1}
    assert result.raw_schema.respelled == {}


def test_a_column_that_differs_in_case_alone_is_taken_for_the_one_the_manifest_lists() -> None:
    files = {
        "a": encode_avro([{"User_Id": "7", "Plan": "pro"}]),
        "b": encode_avro([{"user_id": 8, "plan": "free", "PLAN": "other"}]),
        "c": encode_avro([{"user_id": 9, "Plan": "x", "PLAN": "y"}]),
    }
    result = written(files, ["plan", "user_id"], "users")
    assert result.frame.drop("_dump_id", "_source_file", "_source_row").to_dicts() == [
        {"plan": "pro", "user_id": 7, "PLAN": None, "Plan": None},
        {"plan": "free", "user_id": 8, "PLAN": "other", "Plan": None},
        {"plan": None, "user_id": 9, "PLAN": "y", "Plan": "x"},  # which of them is meant?
    ]
    assert result.raw_schema.lacking == {"plan": 1}
    assert result.raw_schema.extra == {"PLAN": 2, "Plan": 1}
    assert result.raw_schema.respelled == {
        "plan": (("Plan", 1),),
        "user_id": (("User_Id", 1),),
    }


def test_a_column_that_the_manifest_lists_itself_is_not_taken_for_another() -> None:
    files = {"a": encode_avro([{"Plan": "pro"}])}
    result = written(files, ["plan", "Plan"])
    assert result.frame.select("plan", "Plan").rows() == [(None, "pro")]
    assert result.raw_schema.lacking == {"plan": 1}


def test_a_column_of_a_file_may_serve_several_of_the_manifest() -> None:
    result = written({"a": encode_avro([{"User_Id": 7}])}, ["user_id", "USER_ID"], "_metadata")
    assert result.frame.select("user_id", "USER_ID").rows() == [(7, "7")]


def test_an_id_under_another_spelling_is_refused_by_the_name_in_the_file() -> None:
    with pytest.raises(IdentifierError) as refused:
        written({"a": encode_avro([{"User_Id": "x"}])}, ["user_id"], "users")
    assert refused.value.where["column"] == "User_Id"


def test_writing_begins_again_once_where_a_later_file_brings_a_column() -> None:
    bucket = Bucket(
        {
            "a": encode_avro([{"plan": "pro", "age": 30}]),
            "b": encode_avro([{"plan": "pro", "tier": "x"}]),
            "c": encode_avro([{"city": "Oslo"}]),
        }
    )
    attempts: list[tuple[list[str], int | None]] = []

    def write_and_tell(partition: RawPartition) -> Written:
        attempts.append((partition.schema.names()[:-3], None))
        result = write(partition)
        attempts[-1] = (attempts[-1][0], result.frame.height)
        return result

    write_partition(dump_of(("a", "b", "c"), ["plan"], "clicks"), bucket.open_file, write_and_tell)
    assert attempts == [(["plan", "age"], None), (["plan", "age", "tier", "city"], 3)]
    assert bucket.open_now == set()


def test_a_column_that_only_the_first_file_names_costs_no_second_attempt() -> None:
    bucket = Bucket(
        {"a": encode_avro([{"plan": "pro", "age": 30}]), "b": encode_avro([{"age": 1}])}
    )
    write_partition(dump_of(("a", "b"), ["plan"], "clicks"), bucket.open_file, write)
    assert sorted(bucket.opened) == ["a", "b"]


def test_a_file_that_changes_between_two_attempts_is_told() -> None:
    bucket = Bucket({"a": encode_avro([{"plan": "pro"}]), "b": encode_avro([{"age": 30}])})

    def change_and_write(partition: RawPartition) -> Written:
        if "age" in partition.schema:
            bucket.files["b"] = encode_avro([{"tier": 1}])
        return write(partition)

    # The second attempt opens its files ahead, so what changes must be the opening itself.
    def open_file(path: str) -> BinaryIO:
        if bucket.opened.count("b") == 2:
            bucket.files["b"] = encode_avro([{"tier": 1}])
        return bucket.open_file(path)

    with pytest.raises(FileError, match="dump 7, table clicks: its files changed"):
        write_partition(dump_of(("a", "b"), ["plan"], "clicks"), open_file, change_and_write)
    assert bucket.open_now == set()


@pytest.mark.edge(17)
def test_a_path_that_is_read_once_is_counted_once() -> None:
    bucket = Bucket({"a": encode_avro([{"plan": "pro"}])})
    result = write_partition(dump_of(("a",), ["plan"], "clicks"), bucket.open_file, write)
    assert (bucket.opened, result.totals.files, result.totals.rows) == (["a"], 1, 1)


@pytest.mark.edge(20)
def test_a_path_is_used_as_it_is() -> None:
    path = "s3://b/sync 7/a+b%20c=d/é.avro"
    assert written({path: encode_avro([{"a": 1}])}).frame["_source_file"].to_list() == [path]


@pytest.mark.edge(21)
def test_thousands_of_files_are_read_with_a_bounded_number_open() -> None:
    files = {f"part-{index}": encode_avro([{"n": index}]) for index in range(3_000)}
    bucket = Bucket(files)
    result = write_partition(
        dump_of(tuple(files), ["n"], "clicks"), bucket.open_file, write, ahead=4
    )
    assert result.frame["n"].to_list() == [str(index) for index in range(3_000)]
    assert result.frame["_source_file"].to_list() == list(files)
    assert bucket.most_open <= 5
    assert bucket.open_now == set()


@pytest.mark.edge(23)
def test_a_missing_file_is_told_by_name() -> None:
    bucket = Bucket({"a": encode_avro(events(1), EVENT), "c": encode_avro(events(2), EVENT)})
    with pytest.raises(FileError) as refused:
        write_partition(dump_of(("a", "b", "c")), bucket.open_file, write)
    assert refused.value.where == {"dump": 7, "table": "pageviews", "file": "b"}
    assert bucket.open_now == set()


GOOD = encode_avro(events(1, 2, 3, 4), EVENT, block_rows=2)


@pytest.mark.edge(24)
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "it is empty: 0 bytes"),
        (GOOD[:-40], "truncated"),
        (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "wrong sync marker after row 4"),
        (GOOD[:-22] + bytes([GOOD[-22] ^ 1]) + GOOD[-21:], "a snappy block is damaged"),
        (header(EVENT, "brotli"), 'its codec "brotli" is unknown'),
        (b"<html>", "it is not an Avro container file"),
        (header('"long"'), "its schema is not that of a record"),
    ],
)
def test_a_damaged_file_is_told_by_name_and_ends_everything(body: bytes, says: str) -> None:
    bucket = Bucket({"a": GOOD, "b": body, "c": GOOD})
    with pytest.raises(FileError) as refused:
        write_partition(dump_of(("a", "b", "c")), bucket.open_file, write)
    assert {name: refused.value.where[name] for name in ("dump", "table", "file")} == {
        "dump": 7,
        "table": "pageviews",
        "file": "b",
    }
    assert says in refused.value.message
    assert "redeliver the dump" in refused.value.remedy
    assert bucket.open_now == set()


@pytest.mark.parametrize("workers", [1, 4])
def test_of_several_errors_the_first_in_manifest_order_is_told(workers: int) -> None:
    wrong = [{"user_id": "x", "event_id": 1, "path": "/"}]
    bucket = Bucket({"a": GOOD, "b": encode_avro(wrong), "c": b"", "d": encode_avro(wrong)})
    with pytest.raises(IdentifierError) as refused:
        write_partition(
            dump_of(("a", "b", "c", "d", "e")), bucket.open_file, write, workers=workers
        )
    assert refused.value.where == {
        "dump": 7,
        "table": "pageviews",
        "file": "b",
        "row": 0,
        "column": "user_id",
    }


@pytest.mark.edge(31)
def test_an_id_that_is_none_is_told_with_its_row_among_many_files() -> None:
    files = {f"f{index}": encode_avro([{"user_id": "5"}] * 3) for index in range(4)}
    files["f2"] = encode_avro([{"user_id": "5"}, {"user_id": "5"}, {"user_id": "12x"}])
    with pytest.raises(IdentifierError) as refused:
        written(files, ["user_id"], "users")
    assert str(refused.value) == (
        "dump 7, table users, file f2, row 2, column user_id: not a 64-bit integer: '12x'. "
        "Ask Contentsquare to redeliver the dump, or replace the file in place."
    )


@pytest.mark.edge(31, 32)
def test_ids_as_texts_and_as_numbers_are_one_column() -> None:
    big = 9007199254740993
    files = {
        "a": encode_avro([{"user_id": "123"}, {"user_id": None}, {"user_id": str(big)}]),
        "b": encode_avro([{"user_id": big}]),
    }
    result = written(files, ["user_id"], "users")
    assert result.frame["user_id"].to_list() == [123, None, big, big]
    assert result.raw_schema.file_columns == (FileColumn("user_id", ("long", "string"), files=2),)


@pytest.mark.edge(35)
@pytest.mark.parametrize(
    ("table", "columns", "key"),
    [
        ("users", ["user_id"], "user_id"),
        ("sessions", ["user_id", "session_id"], "session_id"),
        ("sign_up", ["event_id", "user_id"], "event_id"),
    ],
)
@pytest.mark.parametrize("rows", [0, 2])
def test_a_file_without_a_column_of_the_key_is_told_even_without_rows(
    table: str, columns: list[str], key: str, rows: int
) -> None:
    whole = record(**dict.fromkeys(columns, "long"))
    lacking = record(**dict.fromkeys([one for one in columns if one != key] + ["x"], "long"))
    value = dict.fromkeys([*columns, "x"], 1)
    files = {"a": encode_avro([], whole), "b": encode_avro([value] * rows, lacking)}
    with pytest.raises(IdentifierError) as refused:
        written(files, columns, table)
    assert refused.value.where == {"dump": 7, "table": table, "file": "b", "column": key}


def test_a_table_without_a_key_needs_no_ids() -> None:
    assert written({"a": encode_avro([{"x": 1}])}, ["x"], "_event_metadata").totals.key_nulls == {}


@pytest.mark.edge(40)
def test_nulls_in_the_key_are_kept_and_counted() -> None:
    rows = [{"user_id": 1, "event_id": None}, {"user_id": None, "event_id": None}]
    result = written({"a": encode_avro(rows), "b": encode_avro(rows)}, ["user_id", "event_id"])
    assert result.frame.height == 4
    assert result.totals.key_nulls == {"user_id": 2, "event_id": 4}


@pytest.mark.parametrize("many", [1, 400])
def test_text_that_is_not_utf_8_is_replaced_and_counted_over_all_files(many: int) -> None:
    rows = [{"plan": b"free"}] * many + [{"plan": b"caf\xe9"}]
    schema = record(plan="string")
    plain = plain_rows(record(plan="bytes"), rows)
    checked = bytes(cramjam.snappy.compress_raw(plain)) + zlib.crc32(plain).to_bytes(4, "big")
    bad = header(schema, "snappy") + block(many + 1, checked) * 2
    result = written({"good": encode_avro([{"plan": "pro"}]), "b": bad, "c": bad}, ["plan"])
    expected = [*["free"] * many, "caf\ufffd"]
    assert result.frame["plan"].to_list() == ["pro", *expected * 4]
    assert result.totals.replaced == ReplacedTexts(sequences=4, files=2, file="b", row=many)


def test_rows_are_spread_over_frames_where_the_manifest_lists_many_columns() -> None:
    columns = ["a", *(f"c{number}" for number in range(9_999))]
    heights: list[int] = []

    def write_heights(partition: RawPartition) -> None:
        heights.extend(frame.height for frame in partition.frames())

    bucket = Bucket({"a": encode_avro([{"a": 1}] * 1_000)})
    write_partition(dump_of(("a",), columns, "clicks"), bucket.open_file, write_heights)
    assert heights == [400, 400, 200]


@pytest.mark.parametrize("when", ["while it is opened", "while it is read"])
def test_a_file_that_takes_too_much_memory_is_an_error_of_its_table(when: str) -> None:
    class Greedy(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if when == "while it is opened" or self.tell() > 0:
                raise MemoryError
            return super().read(200)

    with pytest.raises(FileError) as refused:
        write_partition(dump_of(("a",), ["path"], "clicks"), lambda _: Greedy(GOOD), write)
    assert refused.value.where == {"dump": 7, "table": "clicks", "file": "a"}
    assert refused.value.message == "decoding it takes more memory than there is"
    assert refused.value.remedy.startswith("Give the process more memory")


@pytest.mark.parametrize("name", ["_dump_id", "_source_file", "_Source_Row", "_raw_user_id"])
@pytest.mark.parametrize("in_manifest", ["in the manifest", ""])
def test_a_column_named_like_one_of_ours_is_refused(name: str, in_manifest: str) -> None:
    files = {"a": encode_avro([], record(x="long", **{name: "long"}))}
    with pytest.raises(NameClashError) as refused:
        written(files, ["x", name] if in_manifest else ["x"])
    assert f'"{name}"' in refused.value.message
    place = {"dump": 7, "table": "clicks"}
    assert refused.value.where == (place if in_manifest else {**place, "file": "a"})


def test_all_files_and_threads_end_where_the_writer_stops_half_way() -> None:
    # Other columns each time, so that every file is a batch of its own.
    files = {
        f"f{index}": encode_avro(events(1), {**EVENT, "fields": EVENT["fields"][:: (-1) ** index]})
        for index in range(40)
    }
    bucket = Bucket(files)

    class DiskFullError(Exception):
        pass

    def stop(partition: RawPartition) -> None:
        frames = partition.frames()
        assert next(frames).height
        raise DiskFullError  # and `frames` stays, with the traceback

    with pytest.raises(DiskFullError) as raised:
        write_partition(dump_of(tuple(files)), bucket.open_file, stop)
    assert raised.tb is not None
    assert bucket.open_now == set()
    # Polars has threads of its own, which Python learns of when they call it.
    assert [one.name for one in threading.enumerate() if one.name.startswith("csq-")] == []


def sink(partition: RawPartition, path: Path, footer: Callable[[], dict[str, str]]) -> None:
    """As the lake writes: frames streamed into one Parquet file, the footer last."""
    source = register_io_source(lambda *_: partition.frames(), schema=partition.schema)
    source.sink_parquet(path, metadata=lambda _: footer())


def test_totals_and_columns_are_whole_when_the_footer_is_written(tmp_path: Path) -> None:
    files = {f"f{index}": GOOD for index in range(10)}

    def write_parquet(partition: RawPartition) -> None:
        sink(
            partition,
            tmp_path / "out.parquet",
            lambda: {"rows": str(partition.totals.rows), "schema": repr(partition.raw_schema)},
        )

    write_partition(dump_of(tuple(files)), Bucket(files).open_file, write_parquet)
    footer = pl.read_parquet_metadata(tmp_path / "out.parquet")
    assert footer["rows"] == "40"
    columns = (
        FileColumn("user_id", ("long",), files=10),
        FileColumn("event_id", ("long",), files=10),
        FileColumn("path", ("string",), files=10),
    )
    assert footer["schema"] == repr(RawSchema((), columns, files=10))
    assert pl.read_parquet(tmp_path / "out.parquet")["event_id"].to_list() == [10, 20, 30, 40] * 10


@pytest.mark.parametrize(
    ("bodies", "error"),
    [
        ([GOOD, b""], FileError),
        (
            [
                GOOD,
                encode_avro(
                    events(1),
                    record(user_id="long", event_id="long", path="string", new=["null", "long"]),
                ),
            ],
            UnknownColumnsError,
        ),
    ],
)
def test_what_is_raised_while_parquet_is_streamed_arrives_as_it_is(
    tmp_path: Path, bodies: list[bytes], error: type[Exception]
) -> None:
    files = {str(index): body for index, body in enumerate(bodies)}
    seen: list[type[Exception]] = []

    def write_parquet(partition: RawPartition) -> None:
        try:
            sink(partition, tmp_path / "out.parquet", dict)
        except (FileError, UnknownColumnsError) as raised:
            seen.append(type(raised))

    write_partition(dump_of(tuple(files)), Bucket(files).open_file, write_parquet)
    assert seen == [error]


@settings(deadline=None, max_examples=50)
@given(
    sizes=st.lists(st.integers(0, 40), max_size=6),
    block_rows=st.integers(1, 50),
    kinds=st.lists(st.sampled_from(["plain", "nullable", "map"]), min_size=6, max_size=6),
    workers=st.integers(1, 3),
)
def test_however_rows_are_cut_into_files_they_come_out_in_order(
    sizes: list[int], block_rows: int, kinds: list[str], workers: int
) -> None:
    types = {
        "plain": record(n="long"),
        "nullable": record(n=["long", "null"], more=["null", "string"]),
        "map": record(n="long", more={"type": "map", "values": "long"}),
    }
    files: dict[str, bytes] = {}
    expected: list[tuple[str, str | None, int, str, int]] = []
    for index, (size, kind) in enumerate(zip(sizes, kinds, strict=False)):
        more: Any = {"plain": None, "nullable": "x", "map": {"k": 1}}[kind]
        rows = [{"n": index * 100 + row, "more": more} for row in range(size)]
        files[f"f{index}"] = encode_avro(rows, types[kind], block_rows=block_rows if rows else 0)
        spelled = '{"k":1}' if kind == "map" else more
        expected += [(str(row["n"]), spelled, 7, f"f{index}", at) for at, row in enumerate(rows)]
    assert written(files, ["n", "more"], workers=workers).frame.rows() == expected
