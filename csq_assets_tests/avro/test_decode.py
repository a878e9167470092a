"""Rows: both paths agree, every type has its text, and damage is told with its file and row."""

import io
import json
import math
import struct
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from csq_assets.avro.batch import Batch
from csq_assets.avro.complete import read_complete
from csq_assets.avro.container import Container
from csq_assets.avro.decode import decode, unpack
from csq_assets.avro.native import read_native
from csq_assets.avro.schema import parse_schema
from csq_assets.errors import FileError, IdentifierError
from csq_assets_tests.avro.avro_bytes import (
    block,
    header,
    long,
    plain_rows,
    record,
    text,
)
from csq_assets_tests.avro_files import encode_avro

IDS = ("user_id", "event_id", "session_id")


def batch_of(*bodies: bytes) -> Batch:
    """All blocks of some files, named a, b, ..., to be decoded together."""
    containers = [Container(io.BytesIO(body)) for body in bodies]
    batch = Batch(parse_schema(containers[0].schema))
    for name, container in zip("abcdefgh", containers, strict=False):
        for one in container.blocks():
            batch.add(name, one)
    return batch


def decoded(*bodies: bytes) -> list[dict[str, Any]]:
    batch = batch_of(*bodies)
    frames = [part.frame for part in decode(batch, IDS)]
    return pl.concat(frames).to_dicts()


def one_value(declared: Any, value: Any, column: str = "a") -> str | int | None:
    """What a value of a type becomes."""
    body = encode_avro([{column: value}], record(**{column: declared}), codec="null")
    return decoded(body)[0][column]


LONGS = st.integers(-(2**63), 2**63 - 1)
NATIVE = {
    "long": LONGS,
    "int": st.integers(-(2**31), 2**31 - 1),
    "double": st.floats() | st.sampled_from([1e20, 1e-7, 1e16, 1e-4, -0.0, math.inf, math.nan]),
    "float": st.floats(width=32),
    "boolean": st.booleans(),
    "string": st.text(st.characters(codec="utf-8")) | st.sampled_from(["", "\0", "\r\n", "🙂"]),
}


@st.composite
def native_files(draw: st.DrawFn) -> tuple[dict[str, Any], list[list[dict[str, Any]]]]:
    """A schema of types that the native reader takes, and the rows of one to three files."""
    values: dict[str, st.SearchStrategy[Any]] = {}
    types: dict[str, Any] = {}
    for index, name in enumerate(draw(st.lists(st.sampled_from(list(NATIVE)), min_size=1))):
        column = f"c{index}"
        types[column] = draw(st.sampled_from([name, ["null", name], [name, "null"]]))
        values[column] = NATIVE[name]
        if isinstance(types[column], list):
            values[column] |= st.none()
    rows = st.lists(st.fixed_dictionaries(values), max_size=8)
    return record(**types), draw(st.lists(rows, min_size=1, max_size=3))


def expected_text(value: Any, declared: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if "float" in declared:
        value = struct.unpack("<f", struct.pack("<f", value))[0]
    return json.dumps(value)


@settings(deadline=None)
@given(native_files())
def test_both_paths_give_the_same_frame_and_the_right_one(
    files: tuple[dict[str, Any], list[list[dict[str, Any]]]],
) -> None:
    schema, parts = files
    batch = batch_of(*(encode_avro(rows, schema, block_rows=3 if rows else 0) for rows in parts))
    plains = unpack(batch)
    native = read_native(batch, plains, IDS)
    assert native is not None
    (complete,) = read_complete(batch, plains, IDS)
    assert_frame_equal(native.frame, complete.frame)
    assert (native.runs, native.replaced) == (complete.runs, complete.replaced)
    types = {entry["name"]: entry["type"] for entry in schema["fields"]}
    assert native.frame.to_dicts() == [
        {name: expected_text(value, types[name]) for name, value in row.items()}
        for rows in parts
        for row in rows
    ]


@settings(deadline=None)
@given(st.lists(st.floats()))
def test_a_double_is_spelled_as_json_spells_it(numbers: list[float]) -> None:
    body = encode_avro([{"a": number} for number in numbers], record(a="double"), codec="null")
    assert [row["a"] for row in decoded(body)] == [json.dumps(number) for number in numbers]


@settings(deadline=None)
@given(LONGS, st.integers(0, 30))
@pytest.mark.edge(31, 32)
def test_an_id_is_exact_as_a_long_and_as_a_text(number: int, zeros: int) -> None:
    padded = f"{'-' if number < 0 else ''}{'0' * zeros}{abs(number)}"
    for declared, value in (
        ("long", number),
        (["null", "long"], number),
        ("string", str(number)),
        ("string", padded),
        (["long", "string"], padded),
        (["long", "string"], number),
    ):
        assert one_value(declared, value, "user_id") == number


@pytest.mark.edge(31)
@pytest.mark.parametrize("column", ["user_id", "event_id", "session_id"])
@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("string", "12x"),
        ("string", ""),
        ("string", "+1"),
        ("string", " 1"),
        ("string", "1\n"),
        ("string", "1_000"),
        ("string", "1.0"),
        ("string", "\u0661"),
        ("string", str(2**63)),
        ("string", str(-(2**63) - 1)),
        ("string", "9" * 5000),
        ("double", 1.5),
        ("double", 1.0),
        ("float", 1.0),
        ("boolean", True),
        (["long", "double"], 1.0),
        (["long", "boolean"], True),
        ("bytes", b"1"),
        ({"type": "array", "items": "long"}, [1]),
    ],
)
def test_what_is_no_64_bit_integer_is_no_id(column: str, declared: Any, value: Any) -> None:
    schema = record(
        path="string",
        **{column: ["null", *([declared] if isinstance(declared, (str, dict)) else declared)]},
    )
    rows = [{"path": "/", column: None}, {"path": "/", column: value}]
    good = encode_avro([{"path": "/", column: None}] * 3, schema)
    with pytest.raises(IdentifierError) as refused:
        decoded(good, encode_avro(rows, schema))
    assert refused.value.where == {"file": "b", "row": 1, "column": column}
    assert decoded(good) == [{"path": "/", column: None}] * 3


@pytest.mark.edge(33)
@pytest.mark.parametrize(
    ("declared", "value", "text"),
    [
        ("boolean", True, "true"),
        ("int", 12, "12"),
        ("double", 1.5, "1.5"),
        ("double", 1e20, "1e+20"),
        ("double", math.nan, "NaN"),
        ("float", 0.1, "0.10000000149011612"),
        ("null", None, None),
        (["null"], None, None),
        (["string"], "one branch", "one branch"),
        (["null", "string", "long"], 5, "5"),
        (["null", "string", "long"], "5", "5"),
        (["null", "string", "long"], None, None),
        ({"type": "string", "avro.java.string": "String"}, "ü", "ü"),
        ({"type": "array", "items": ["null", "long"]}, [1, None, 3], "[1,null,3]"),
        ({"type": "array", "items": "double"}, [math.nan, 1e20], "[NaN,1e+20]"),
        ({"type": "map", "values": "string"}, {"a b": "ü\n"}, '{"a b":"ü\\n"}'),
        (
            {**record(name="string", tags={"type": "array", "items": "bytes"}), "name": "inner"},
            {"name": "🙂", "tags": [b"x", b"\xff\x00"]},
            '{"name":"🙂","tags":["x","/wA="]}',
        ),
        ({"type": "enum", "name": "e", "symbols": ["FREE", "PRO"]}, "PRO", "PRO"),
        ("bytes", "später".encode(), "später"),
        ("bytes", b"\xff\xfe", "//4="),
        ({"type": "fixed", "name": "f", "size": 2}, b"ab", "ab"),
        ({"type": "fixed", "name": "f", "size": 2}, b"\xc3\x28", "wyg="),
    ],
)
def test_a_value_becomes_the_text_that_json_has_for_it(
    declared: Any, value: Any, text: str | None
) -> None:
    assert one_value(declared, value) == text


@pytest.mark.edge(33)
@pytest.mark.parametrize(
    ("declared", "stored", "expected"),
    [
        ({"type": "long", "logicalType": "timestamp-millis"}, 1714000000000, "1714000000000"),
        ({"type": "int", "logicalType": "date"}, 19837, "19837"),
        ({"type": "string", "logicalType": "uuid"}, "not checked", "not checked"),
        ({"type": "bytes", "logicalType": "duration"}, b"\x04\xd2", "BNI="),
        ({"type": "bytes", "logicalType": "decimal"}, b"\x04\xd2", "BNI="),
        ({"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 3}, b"\x04", "\x04"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": True}, b"5", "5"),
    ],
)
def test_a_logical_type_gives_the_stored_value(declared: Any, stored: Any, expected: str) -> None:
    plain = plain_rows(record(a=declared["type"]), [{"a": stored}])
    assert decoded(header(record(a=declared)) + block(1, plain)) == [{"a": expected}]
    nullable = plain_rows(record(a=["null", declared["type"]]), [{"a": stored}, {"a": None}])
    body = header(record(a=["null", declared])) + block(2, nullable)
    assert decoded(body) == [{"a": expected}, {"a": None}]


def decimal(scale: int, **stored: Any) -> dict[str, Any]:
    return {**stored, "logicalType": "decimal", "precision": 40, "scale": scale}


@pytest.mark.parametrize(
    ("unscaled", "scale", "expected"),
    [
        (12345, 2, "123.45"),
        (0, 2, "0.00"),
        (-1, 2, "-0.01"),
        (5, 3, "0.005"),
        (99999, 0, "99999"),
        (-(2**127), 38, "-1.70141183460469231731687303715884105728"),
        (1, 20, "0.00000000000000000001"),
    ],
)
def test_a_decimal_is_its_number_with_its_scale(unscaled: int, scale: int, expected: str) -> None:
    least = unscaled.to_bytes(max(1, (unscaled.bit_length() + 8) // 8), signed=True)
    padded = unscaled.to_bytes(17, signed=True)
    as_bytes = decimal(scale, type="bytes")
    as_fixed = decimal(scale, type="fixed", name="amount", size=17)
    for declared, stored in (
        (as_bytes, text(least)),
        (as_bytes, text(padded)),
        (as_fixed, padded),
        (["null", as_bytes], long(1) + text(least)),
        (["null", as_fixed], long(1) + padded),
    ):
        assert decoded(header(record(a=declared)) + block(1, stored)) == [{"a": expected}]


def test_a_decimal_inside_json_is_a_number() -> None:
    amount = decimal(2, type="bytes")
    entry = {**record(amount=amount, note=["null", "bytes"]), "name": "entry"}
    stored = long(2) + (text(b"\x04\xd2") + long(0)) + (text(b"\xff") + long(1) + text(b"\xff"))
    declared = {"type": "array", "items": entry}
    assert decoded(header(record(a=declared)) + block(1, stored + long(0))) == [
        {"a": '[{"amount":12.34,"note":null},{"amount":-0.01,"note":"/w=="}]'}
    ]


def test_a_decimal_is_an_id_where_it_has_no_fraction() -> None:
    def stored(scale: int) -> bytes:
        return header(record(user_id=decimal(scale, type="bytes"))) + block(1, text(b"\x04\xd2"))

    assert decoded(stored(0)) == [{"user_id": 1234}]
    with pytest.raises(IdentifierError, match=r"not a 64-bit integer: '12\.34'"):
        decoded(stored(2))


@pytest.mark.parametrize("size", [0, 1_025])
def test_a_decimal_of_absurd_size_is_damage(size: int) -> None:
    with pytest.raises(FileError, match=f"a decimal of {size} bytes"):
        decoded(header(record(a=decimal(2, type="bytes"))) + block(1, text(bytes(size))))


@pytest.mark.edge(34)
@pytest.mark.parametrize("declared", ["string", ["null", "string"], ["null", "string", "long"]])
def test_texts_are_unchanged_and_an_empty_one_is_not_null(declared: Any) -> None:
    for value in ("", "a\r\nb", "\0", "🙂", " x ", "NULL", "é"):
        assert one_value(declared, value) == value


@pytest.mark.edge(26)
def test_files_with_and_without_null_are_read_alike_but_not_together() -> None:
    rows = [{"user_id": 9007199254740993}]
    schemas = [record(user_id=one) for one in ("long", ["null", "long"], ["long", "null"])]
    parsed = [parse_schema(json.dumps(schema).encode()) for schema in schemas]
    assert [one.reads_like(two) for one, two in pairwise(parsed)] == [False, False]
    assert [decoded(encode_avro(rows, schema)) for schema in schemas] == [rows] * 3


def test_files_that_differ_in_what_does_not_matter_are_read_together() -> None:
    schemas = [record(n="int"), {**record(n="long"), "name": "other", "doc": "said"}]
    one, two = (parse_schema(json.dumps(schema).encode()) for schema in schemas)
    assert one.reads_like(two)
    bodies = [encode_avro([{"n": index}], schema) for index, schema in enumerate(schemas)]
    assert decoded(*bodies) == [{"n": "0"}, {"n": "1"}]


SMALL = record(user_id="long", plan=["null", "string"])
SMALL_ROWS = [{"user_id": 3, "plan": "pro"}, {"user_id": -4, "plan": None}]


@pytest.mark.edge(24)
def test_one_bit_flipped_anywhere_in_snappy_blocks_is_told() -> None:
    body = encode_avro(SMALL_ROWS * 3, SMALL, codec="snappy", block_rows=3)
    start = body.index(body[-16:]) + 16
    refused = 0
    for place in range(start, len(body)):
        for bit in range(8):
            damaged = bytearray(body)
            damaged[place] ^= 1 << bit
            with pytest.raises(FileError):
                decoded(bytes(damaged))
            refused += 1
    assert refused == 8 * (len(body) - start)


@pytest.mark.parametrize("declared", ["boolean", "long", ["null", "string"], ["string", "long"]])
@pytest.mark.parametrize("claimed", [0, 1, 49, 51, 60, 2**40])
def test_a_block_with_more_or_fewer_rows_than_it_claims_is_told(
    declared: Any, claimed: int
) -> None:
    value = "x" if "string" in declared else True
    plain = plain_rows(record(a=declared), [{"a": value}] * 50)
    whole = header(record(a=declared)) + block(50, plain)
    assert len(decoded(whole)) == 50
    with pytest.raises(FileError) as refused:
        decoded(whole, header(record(a=declared)) + block(claimed, plain), whole)
    assert refused.value.where["file"] == "b"


@pytest.mark.edge(24)
@pytest.mark.parametrize(
    ("declared", "stored", "says"),
    [
        ("string", text(b"\xff\xfe"), "a text is not UTF-8: invalid start byte at its byte 0"),
        ("string", long(2**40) + b"hi", "a value of 1099511627776 bytes where 2 are left"),
        ("string", long(-2) + b"hi", "a value of -2 bytes"),
        ("string", long(5) + b"hi", "a value of 5 bytes where 2 are left"),
        ("long", b"\xff" * 11, "an integer of more than 64 bits"),
        ("long", b"\x80" * 10 + b"\x00", "an integer of more than 64 bits"),
        (["long"], long(0) + b"\xff" * 9 + b"\x7f", "an integer of more than 64 bits"),
        ("long", b"\xff\xff", "a value is cut"),
        (["long", "string"], long(2) + long(1), "branch 2 of a union of 2"),
        (["long", "string"], long(-1) + long(1), "branch -1 of a union of 2"),
        (["long", "boolean"], long(1) + b"\x02", "a boolean of 2"),
        ({"type": "enum", "name": "e", "symbols": ["A"]}, long(1), "symbol 1 of an enum of 1"),
        ({"type": "array", "items": "null"}, long(2**50), "1125899906842624 values where"),
        ({"type": "array", "items": "long"}, long(2**50) + bytes(9), "1125899906842624 values"),
        ({"type": "map", "values": "null"}, long(-(2**50)) + bytes(9), "1125899906842624 values"),
        ({"type": "fixed", "name": "f", "size": 9}, b"short", "1 values where there can be 0"),
    ],
)
def test_a_damaged_value_is_told_with_its_file_and_row(
    declared: Any, stored: bytes, says: str
) -> None:
    schema = record(n="long", a=declared)
    rows = block(1, long(7) + stored)
    with pytest.raises(FileError) as refused:
        decoded(header(schema) + rows)
    place = {"file": "a", "row": 0, "column": "a"}
    if "values where there can be 0" in says:  # told by the size of the block
        del place["column"]
    assert refused.value.where == place
    assert says in refused.value.message


def test_the_row_of_a_damaged_text_is_counted_over_the_blocks_of_its_file() -> None:
    schema = record(a="string")
    good = block(2, text("x") + text("y"))
    bad = block(2, text("z") + text(b"\xff"))
    with pytest.raises(FileError) as refused:
        decoded(header(schema) + good, header(schema) + good + bad)
    assert refused.value.where == {"file": "b", "row": 3, "column": "a"}


LINKED = {
    "type": "record",
    "name": "node",
    "fields": [{"name": "value", "type": "long"}, {"name": "next", "type": ["null", "node"]}],
}


def test_a_record_inside_itself_is_json_as_deep_as_it_goes() -> None:
    stored = long(1) + long(1) + long(2) + long(0)
    assert decoded(header(LINKED) + block(1, stored)) == [
        {"value": "1", "next": '{"value":2,"next":null}'}
    ]


@pytest.mark.parametrize("depth", [5_000, 200_000])
def test_a_record_inside_itself_too_deep_is_told(depth: int) -> None:
    stored = (long(1) + long(1)) * depth + long(2) + long(0)
    with pytest.raises(FileError, match="nested too deeply"):
        decoded(header(LINKED) + block(1, stored))


def test_a_named_type_is_known_again_by_its_name_and_namespace() -> None:
    point = {"type": "record", "name": "Point", "fields": [{"name": "x", "type": "long"}]}
    schema = {
        "type": "record",
        "name": "row",
        "namespace": "space",
        "fields": [
            {"name": "a", "type": point},
            {"name": "b", "type": "space.Point"},
            {"name": "c", "type": ["null", "Point"]},
        ],
    }
    body = header(schema) + block(1, long(1) + long(2) + long(1) + long(3))
    assert decoded(body) == [{"a": '{"x":1}', "b": '{"x":2}', "c": '{"x":3}'}]


def test_defaults_documentation_and_strange_names_do_not_matter() -> None:
    fields = [
        {"name": "with space", "type": "long", "default": 5, "doc": "said"},
        {"name": "1st", "type": ["null", "string"], "default": None, "aliases": ["first"]},
        {"name": 'ordér "x"', "type": "boolean", "order": "ignore"},
    ]
    body = header({"type": "record", "name": "no name!", "fields": fields})
    rows = block(1, long(1) + long(1) + text("x") + b"\x01")
    assert decoded(body + rows) == [{"with space": "1", "1st": "x", 'ordér "x"': "true"}]


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ("{", "its schema cannot be read"),
        ('"long"', "its schema is not that of a record"),
        ('{"type":"record","name":"r"}', '"fields" is missing or wrong'),
        ('{"type":"record","fields":[]}', '"name" is missing or wrong'),
        ('{"type":"record","name":"r","fields":[1]}', '"name" is missing or wrong in 1'),
        (json.dumps(record(a="number")), 'the type "number" is unknown'),
        (json.dumps(record(a={"type": "array"})), '"items" is missing or wrong'),
        (json.dumps(record(a={"type": "fixed", "name": "f", "size": -1})), "size"),
        (json.dumps(record(a="long")).replace('"a"', '"\\ud800"'), "its schema cannot be read"),
        ("[" * 100_000, "its schema cannot be read"),
    ],
)
def test_a_schema_that_is_none_is_told(schema: str, says: str) -> None:
    with pytest.raises(FileError) as refused:
        decoded(header(schema) + block(0, b""))
    assert says in refused.value.message


def test_a_field_named_twice_is_told() -> None:
    schema = {**record(), "fields": [{"name": "a", "type": "long"}] * 2}
    with pytest.raises(FileError, match='names the field "a" 2 times'):
        decoded(header(schema) + block(1, long(1) + long(2)))


def test_rows_without_columns_are_counted_but_not_by_the_billion() -> None:
    assert batch_of(header(record()) + block(3, b"")).rows == 3
    decode(batch_of(header(record()) + block(3, b"")), IDS)
    with pytest.raises(FileError, match="values where there can be"):
        decode(batch_of(header(record()) + block(2**40, b"")), IDS)


@pytest.mark.parametrize(
    ("declared", "name"),
    [
        ("long", "long"),
        (["null", "long"], "long"),
        (["long", "null"], "long"),
        (["long"], "long"),
        ("null", "null"),
        ({"type": "long", "logicalType": "timestamp-millis"}, "long(timestamp-millis)"),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
            "bytes(decimal(9,2))",
        ),
        (["string", "null", "long"], '["long","string"]'),
        (["long", "string"], '["long","string"]'),
        ({"type": "map", "values": ["null", "long"]}, '{"type":"map","values":["null","long"]}'),
        (
            {"type": "enum", "name": "e", "symbols": ["A"], "doc": "said"},
            '{"name":"e","symbols":["A"],"type":"enum"}',
        ),
    ],
)
def test_a_type_is_called_by_what_it_is_without_null(declared: Any, name: str) -> None:
    assert parse_schema(json.dumps(record(a=declared)).encode()).type_names == (name,)
