"""A table of a dump: rows in manifest order, counted as they are read."""

import zlib
from pathlib import Path
from typing import Any

import cramjam
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csq_assets.dataconnect.raw_schema import DecodeTotals, FileColumn, RawSchema, ReplacedTexts
from csq_assets.dataconnect.raw_table import RawPartition, write_partition
from csq_assets_tests.avro.avro_bytes import block, header, plain_rows, record
from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.dataconnect.raw_tables import (
    EVENT,
    GOOD,
    Bucket,
    dump_of,
    events,
    sink,
    write,
    written,
)


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
