"""No file takes more memory or time than its size accounts for."""

import tracemalloc
import zlib
from io import BytesIO
from typing import Any

import pytest

from csq_assets.avro.codecs import TooLargeError, unpack
from csq_assets.avro.decode import decode
from csq_assets.avro.file import AvroFile
from csq_assets.errors import FileError
from csq_assets_tests.avro.avro_bytes import block, header, long, record, text
from csq_assets_tests.fuzz.containers import PACK, batch_of

MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize("codec", PACK)
def test_a_block_is_refused_while_it_unpacks_to_too_much(codec: str) -> None:
    packed = memoryview(PACK[codec](bytes(64 * MEBIBYTE)))
    assert len(unpack(codec, packed).data) == 64 * MEBIBYTE
    tracemalloc.start()
    with pytest.raises(
        TooLargeError, match=f"a {codec} block unpacks to more than 1,048,576 bytes"
    ):
        unpack(codec, packed, limit=MEBIBYTE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 * MEBIBYTE


def test_the_bound_names_the_file_and_the_row() -> None:
    stream = zlib.compressobj(wbits=-15)
    packed = b"".join(stream.compress(bytes(MEBIBYTE)) for _ in range(513)) + stream.flush()
    body = header(record(a="string"), "deflate") + block(1, packed)
    with pytest.raises(FileError) as refused:
        list(decode(batch_of(body), ()))
    assert refused.value.where == {"file": "a"}
    assert refused.value.message == (
        "a deflate block unpacks to more than 536,870,912 bytes (it begins with row 0)"
    )


def parts(body: bytes) -> list[tuple[int, int]]:
    """The rows and columns of each frame that a file comes in."""
    return [part.frame.shape for part in decode(batch_of(body), ())]


def test_a_block_of_long_texts_comes_in_parts() -> None:
    plain = text("x" * MEBIBYTE) * 40
    shapes = parts(header(record(a="string"), "snappy") + block(40, PACK["snappy"](plain)))
    assert sum(rows for rows, _ in shapes) == 40
    assert max(rows for rows, _ in shapes) <= 4


def test_a_block_of_many_short_values_comes_in_parts() -> None:
    schema = record(**{f"c{number}": ["null", "long"] for number in range(500)})
    body = header(schema, "snappy") + block(10_000, PACK["snappy"](bytes(500 * 10_000)))
    assert parts(body) == [(2_000, 500)] * 5 + [(0, 500)]


def test_parts_of_tens_of_thousands_of_columns_have_so_many_rows_that_these_count() -> None:
    schema = record(a=["null", "long", "string"], **{f"c{n}": "null" for n in range(19_999)})
    shapes = parts(header(schema) + block(201, long(1) * 402))
    assert shapes == [(64, 20_000)] * 3 + [(9, 20_000)]


def test_thousands_of_columns_that_take_no_bytes_come_in_parts() -> None:
    schema = record(user="long", **{f"c{number}": "null" for number in range(4_999)})
    shapes = parts(header(schema) + block(2_000, long(1) * 2_000))
    assert shapes == [(200, 5_000)] * 10 + [(0, 5_000)]


def nested_pairs(depth: int, leaf: dict[str, Any]) -> dict[str, Any]:
    """A record of two records of two records ..."""
    declared = {**leaf, "name": "level0"}
    for level in range(1, depth + 1):
        second = {"name": "second", "type": f"level{level - 1}"}
        declared = record(first=declared) | {"name": f"level{level}"}
        declared["fields"] = [*declared["fields"], second]
    return declared


@pytest.mark.parametrize(
    ("declared", "stored"),
    [
        (nested_pairs(30, record()), b""),
        (nested_pairs(30, record(a="null")), b""),
        ({"type": "array", "items": "null"}, (long(900_000) * 9) + long(0)),
        ({"type": "array", "items": record()}, (long(900_000) * 9) + long(0)),
        (
            {"type": "array", "items": {"type": "fixed", "name": "f", "size": 0}},
            (long(900_000) * 9) + long(0),
        ),
    ],
)
def test_values_that_take_no_bytes_are_bounded(declared: Any, stored: bytes) -> None:
    with pytest.raises(FileError, match="than can be meant"):
        parts(header(record(a=declared)) + block(1, stored))


@pytest.mark.parametrize(
    ("declared", "stored"),
    [
        ({"type": "enum", "name": "e", "symbols": ["x" * MEBIBYTE]}, b"\0"),
        (
            {
                "type": "array",
                "items": {"type": "enum", "name": "e", "symbols": ["x" * 9_999]},
            },
            long(100) + bytes(101),
        ),
        (record(**{"x" * MEBIBYTE: "boolean"}) | {"name": "inner"}, b"\0"),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 10**9, "scale": 10**9},
            text(b"\1"),
        ),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 10**30, "scale": 10**30},
            text(b"\1"),
        ),
    ],
)
def test_text_that_the_schema_gives_to_values_is_bounded(declared: Any, stored: bytes) -> None:
    with pytest.raises(FileError, match="its schema makes more text of the values than can be"):
        parts(header(record(a=declared)) + block(1, stored))


def test_values_that_take_their_text_from_the_schema_come_in_parts() -> None:
    schema = record(a={"type": "enum", "name": "e", "symbols": ["x" * 1_000]})
    body = header(schema) + block(10_000, bytes(10_000))
    decoded = decode(batch_of(body), ())
    assert not isinstance(decoded, list)  # they are not in memory together
    assert [part.frame.height for part in decoded] == [4_191, 4_191, 1_618]


def test_rows_that_take_no_bytes_are_bounded_in_a_file() -> None:
    body = header(record(a="null")) + block(600_000, b"") * 2
    with pytest.raises(FileError, match="more than 1,000,000 rows that take no bytes") as refused:
        list(AvroFile("a", lambda _: BytesIO(body)).blocks())
    assert refused.value.where == {"file": "a"}


def test_rows_beyond_all_numbers_are_damage() -> None:
    body = header(record(a="long")) + block(1, b"\0") + block(2**63 - 1, b"\0") + block(1, b"\0")
    with pytest.raises(FileError, match="damaged: a block of 9223372036854775807 rows and 1 bytes"):
        batch_of(body)


@pytest.mark.parametrize("codec", PACK)
def test_a_damaged_length_leaves_nothing_on_standard_error(
    capfd: pytest.CaptureFixture[str], codec: str
) -> None:
    row = long(1) + long(1) + text("title")
    plain = row * 999 + long(1) + long(1) + long(700) + b"title"
    schema = record(user_id="long", title=["null", "string"])
    with pytest.raises(FileError, match="a value of 700 bytes where 5 are left"):
        parts(header(schema, codec) + block(1_000, PACK[codec](plain)))
    assert capfd.readouterr() == ("", "")
