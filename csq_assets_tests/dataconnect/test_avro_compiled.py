"""The compiled reader: what it takes it reads as the complete path does, and stays within bounds."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import njit
from polars.testing import assert_frame_equal

from csq_assets.dataconnect import avro_compiled
from csq_assets.dataconnect.avro import Batch, decode_complete, unpack
from csq_assets.dataconnect.avro_schema import parse_schema
from csq_assets.dataconnect.container import Container
from csq_assets.dataconnect.native_reader import NativeReader, compiled_reader
from csq_assets.errors import FileError
from csq_assets_tests.dataconnect.avro_bytes import block, header, long, plain_rows, record, text

Reader = Callable[[Batch], pl.DataFrame | None]

VALUES = {
    # Small and large ones, since they take one byte to ten.
    "long": st.integers(-(2**63), 2**63 - 1) | st.integers(-100, 100),
    "string": st.text(st.characters(codec="utf-8"), max_size=40)
    | st.text("abc", max_size=15)
    | st.sampled_from(["x" * 100, "é" * 6, "🙂" * 4, "12 bytes here", "\0"]),
}


@pytest.fixture(scope="module")
def read() -> Iterator[Reader]:
    """The compiled reader, where an index out of bounds is an IndexError and not a crash."""
    with pytest.MonkeyPatch.context() as patched:
        for name in ("_gather", "_is_utf8", "_read_rows"):
            checked = njit(boundscheck=True)(getattr(avro_compiled, name).py_func)
            patched.setattr(avro_compiled, name, checked)
        yield read_batch


def read_batch(batch: Batch) -> pl.DataFrame | None:
    counts = [one.rows for _, one in batch.blocks]
    frame = avro_compiled.read_compiled(batch.schema.native or (), counts, unpack(batch))
    if frame is not None:
        frame.columns = list(batch.schema.columns)
    return frame


def batch_of(schema: dict[str, Any], *blocks: tuple[int, bytes]) -> Batch:
    """Blocks of one file, with what they claim as the number of their rows."""
    body = header(schema) + b"".join(block(rows, plain) for rows, plain in blocks)
    container = Container(io.BytesIO(body))
    batch = Batch(parse_schema(container.schema))
    for one in container.blocks():
        batch.add("a", one)
    return batch


@st.composite
def files(draw: st.DrawFn) -> tuple[dict[str, Any], list[list[dict[str, Any]]]]:
    """A schema of ids and texts, and the rows of one to three blocks."""
    types: dict[str, Any] = {}
    values: dict[str, st.SearchStrategy[Any]] = {}
    kinds = st.lists(st.sampled_from(("long", "string")), min_size=1, max_size=12)
    for index, kind in enumerate(draw(kinds)):
        types[f"c{index}"] = draw(st.sampled_from([kind, ["null", kind], [kind, "null"]]))
        nullable = isinstance(types[f"c{index}"], list)
        values[f"c{index}"] = VALUES[kind] | st.none() if nullable else VALUES[kind]
    rows = st.lists(st.fixed_dictionaries(values), max_size=20)
    return record(**types), draw(st.lists(rows, min_size=1, max_size=3))


no_deadline = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@no_deadline
@given(files())
def test_it_reads_what_the_complete_path_reads(
    read: Reader, file: tuple[dict[str, Any], list[list[dict[str, Any]]]]
) -> None:
    schema, parts = file
    batch = batch_of(schema, *((len(rows), plain_rows(schema, rows)) for rows in parts))
    frame = read(batch)
    assert frame is not None
    texts = decode_complete(batch, unpack(batch))
    assert_frame_equal(frame.cast(dict.fromkeys(frame.columns, pl.String)), texts)
    assert frame.to_dicts() == [row for rows in parts for row in rows]


@settings(no_deadline, max_examples=1_000)
@given(files(), st.data())
def test_damage_is_refused_or_read_as_the_complete_path_reads_it(
    read: Reader, file: tuple[dict[str, Any], list[list[dict[str, Any]]]], data: st.DataObject
) -> None:
    schema, parts = file
    blocks: list[tuple[int, bytes]] = []
    for rows in parts:
        plain = bytearray(plain_rows(schema, rows))
        for _ in range(data.draw(st.integers(0, 2))):
            at = data.draw(st.integers(0, len(plain)))
            plain[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        blocks.append(
            (max(len(rows) + data.draw(st.sampled_from([0, 0, 0, 1, -1])), 0), bytes(plain))
        )
    batch = batch_of(schema, *blocks)
    try:
        frame = read(batch)
        texts = None if frame is None else decode_complete(batch, unpack(batch))
    except FileError:  # more rows than the bytes can hold: no reader is asked
        return
    if frame is not None and texts is not None:
        assert_frame_equal(frame.cast(dict.fromkeys(frame.columns, pl.String)), texts)


@settings(no_deadline, max_examples=1_000)
@given(
    st.binary(max_size=24)
    | st.lists(
        st.sampled_from([b"a", "é".encode(), "€".encode(), "🙂".encode(), b"\xed\xa0\x80"])
        | st.sampled_from([b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80"])
        | st.sampled_from([b"\x80", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x99", b"\xff"]),
        max_size=8,
    ).map(b"".join)
)
def test_a_text_is_taken_if_python_takes_it_as_utf_8(read: Reader, data: bytes) -> None:
    try:
        expected = [(data.decode(), 7)]
    except UnicodeDecodeError:
        expected = None
    frame = read(batch_of(record(a="string", b="long"), (1, text(data) + long(7))))
    assert (None if frame is None else frame.rows()) == expected


@pytest.mark.parametrize(
    "plain",
    [
        b"\xff" * 9 + b"\x02",  # a long of 65 bits
        b"\x80" * 10 + b"\x00",  # a long of 11 bytes
        b"\x80",  # a long that is cut
        b"",
        long(1) + b"\x00",  # a byte too many
    ],
)
def test_a_long_that_is_none_is_refused(read: Reader, plain: bytes) -> None:
    assert read(batch_of(record(a="long"), (1, plain or b"\x80"))) is None


def test_other_types_are_left_to_the_others(read: Reader) -> None:
    schema = record(a="double")
    assert read(batch_of(schema, (1, plain_rows(schema, [{"a": 1.5}])))) is None


def test_it_takes_over_from_polars_and_gives_the_same() -> None:
    schema = record(user_id=["null", "long"], a=["null", "string"])
    rows = [{"user_id": n if n % 3 else None, "a": f"text {n}" * (n % 4)} for n in range(5_000)]
    batch = batch_of(schema, (len(rows), plain_rows(schema, rows)))
    reader = NativeReader(compiled_from_bytes=100_000)
    assert compiled_reader() is avro_compiled.read_compiled
    frames = [reader.read(batch.schema.native or (), [5_000], unpack(batch)) for _ in range(20)]
    given_frames = [frame for frame in frames if frame is not None]
    assert pl.concat(given_frames).rows() == [tuple(row.values()) for row in rows] * 20
