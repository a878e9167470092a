"""Containers: every codec is read, and nothing that is cut or damaged passes."""

import io
import zlib
from typing import Any, cast

import cramjam
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csq_assets.avro.container import Container
from csq_assets.errors import FileError, StorageError
from csq_assets_tests.avro.avro_bytes import (
    SYNC,
    block,
    header,
    long,
    plain_rows,
    record,
    text,
)
from csq_assets_tests.avro_files import encode_avro

SCHEMA = record(user_id="long", plan="string")
ROWS = [{"user_id": number, "plan": f"plan {number % 3}"} for number in range(100)]
PLAIN = plain_rows(SCHEMA, ROWS)


def blocks_of(body: bytes) -> list[tuple[int, int, bytes]]:
    """The blocks of a file: first row, rows, plain bytes."""
    container = Container(io.BytesIO(body))
    return [(one.first_row, one.rows, bytes(one.unpack().data)) for one in container.blocks()]


@pytest.mark.edge(27)
@pytest.mark.parametrize("codec", ["null", "deflate", "snappy", "bzip2", "xz"])
def test_a_codec_that_fastavro_writes_gives_the_plain_rows(codec: str) -> None:
    body = encode_avro(ROWS, SCHEMA, codec=codec, block_rows=60)
    sixty = plain_rows(SCHEMA, ROWS[:60])
    assert blocks_of(body) == [(0, 60, sixty), (60, 40, PLAIN[len(sixty) :])]


@pytest.mark.parametrize(
    ("codec", "packed"),
    [
        ("zstandard", bytes(cramjam.zstd.compress(PLAIN))),
        ("lz4", bytes(cramjam.lz4.compress_block(PLAIN))),
    ],
)
def test_a_codec_that_needs_more_than_fastavro_gives_the_plain_rows(
    codec: str, packed: bytes
) -> None:
    assert blocks_of(header(SCHEMA, codec) + block(100, packed)) == [(0, 100, PLAIN)]


@pytest.mark.parametrize(
    ("codec", "packed"),
    [
        ("deflate", zlib.compress(PLAIN)[2:-4]),
        ("snappy", bytes(cramjam.snappy.compress_raw(PLAIN)) + bytes(4)),
        ("bzip2", bytes(cramjam.bzip2.compress(PLAIN))),
        ("xz", bytes(cramjam.xz.compress(PLAIN))),
        ("zstandard", bytes(cramjam.zstd.compress(PLAIN))),
        ("lz4", bytes(cramjam.lz4.compress_block(PLAIN))),
    ],
)
@pytest.mark.parametrize("kept", [0, 1, 3, 4, 5, 30])
def test_a_block_whose_packed_bytes_are_cut_is_damaged(
    codec: str, packed: bytes, kept: int
) -> None:
    with pytest.raises(FileError, match=f"a {codec} block is damaged"):
        blocks_of(header(SCHEMA, codec) + block(100, packed[:kept]))


@pytest.mark.edge(24)
def test_a_snappy_block_is_held_against_its_checksum() -> None:
    packed = bytes(cramjam.snappy.compress_raw(PLAIN))
    right = zlib.crc32(PLAIN).to_bytes(4, "big")
    wrong = zlib.crc32(PLAIN).to_bytes(4, "little")
    assert blocks_of(header(SCHEMA, "snappy") + block(100, packed + right)) == [(0, 100, PLAIN)]
    with pytest.raises(FileError, match=r"CRC does not match \(it begins with row 0\)"):
        blocks_of(header(SCHEMA, "snappy") + block(100, packed + wrong))


@pytest.mark.parametrize("codec", ["snappy", "lz4"])
def test_a_block_that_claims_gigabytes_is_refused_before_they_are_allocated(codec: str) -> None:
    claim = bytes([0xFF, 0xFF, 0xFF, 0x7F])  # about 2^28 for snappy, 2^31 for lz4
    with pytest.raises(FileError, match="it claims more bytes than it can hold"):
        blocks_of(header(SCHEMA, codec) + block(100, claim + bytes(20)))


@pytest.mark.edge(24)
def test_a_file_cut_at_any_byte_is_refused_except_between_two_blocks() -> None:
    body = encode_avro(ROWS[:6], SCHEMA, codec="snappy", block_rows=3)
    first, second = blocks_of(body)
    marker = body[-16:]
    header_end = body.index(marker) + 16
    between = body.index(marker, header_end) + 16
    passed = {}
    for size in range(len(body) + 1):
        try:
            passed[size] = blocks_of(body[:size])
        except FileError:
            continue
    assert passed == {header_end: [], between: [first], len(body): [first, second]}


class Sized(io.BytesIO):
    """A file that was fetched, with the size that it has where it came from."""

    def __init__(self, body: bytes, size_bytes: int) -> None:
        super().__init__(body)
        self.size_bytes = size_bytes


@pytest.mark.edge(24)
def test_a_file_cut_between_two_blocks_is_refused_where_its_size_is_known() -> None:
    body = encode_avro(ROWS[:6], SCHEMA, block_rows=3)
    between = body.index(body[-16:], body.index(body[-16:]) + 16) + 16
    assert len(list(Container(Sized(body, len(body))).blocks())) == 2
    for kept, size in ((between, len(body)), (len(body), between)):
        with pytest.raises(FileError, match="truncated or changed"):
            list(Container(Sized(body[:kept], size)).blocks())


class Trickle(io.RawIOBase):
    """A stream that cannot seek, and gives a few bytes at a time."""

    def __init__(self, body: bytes) -> None:
        self._left = body

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        given, self._left = self._left[:7], self._left[7:]
        return given


def test_a_stream_that_only_reads_is_enough() -> None:
    body = encode_avro(ROWS, SCHEMA, block_rows=9)
    container = Container(cast(Any, Trickle(body)))
    read = [(one.first_row, one.rows, bytes(one.unpack().data)) for one in container.blocks()]
    assert read == blocks_of(body)
    assert container.bytes_read == len(body)
    with pytest.raises(FileError, match="truncated"):
        list(Container(cast(Any, Trickle(body[:-1]))).blocks())


def test_a_disk_that_fails_is_no_fault_of_the_delivery() -> None:
    class Failing(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(StorageError, match="Input/output error"):
        Container(cast(Any, Failing()))


def test_metadata_with_sizes_to_skip_is_read() -> None:
    schema = text("avro.schema") + text('"long"')
    body = b"Obj\x01" + long(-1) + long(len(schema)) + schema + long(0) + SYNC
    container = Container(io.BytesIO(body + block(1, b"\x02")))
    assert (container.schema, container.codec) == (b'"long"', "null")
    assert [bytes(one.unpack().data) for one in container.blocks()] == [b"\x02"]


@pytest.mark.edge(24)
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "it is empty: 0 bytes"),
        (b"Obj\x02" + bytes(40), "it is not an Avro container file"),
        (b'{"user_id": 1}', "it is not an Avro container file"),
        (b"Obj\x01" + long(0) + SYNC, "its header has no schema"),
        (header(SCHEMA, "brotli"), 'its codec "brotli" is unknown; known are null, deflate'),
        (header(SCHEMA) + block(1, b"ab")[:-1] + b"x", "wrong sync marker after row 1"),
        (header(SCHEMA) + block(-1, b"ab"), "damaged: a block of -1 rows and 2 bytes"),
        (header(SCHEMA) + long(1) + long(-5) + SYNC, "damaged: a block of 1 rows and -5 bytes"),
        (header(SCHEMA) + long(1) + long(2**20) + SYNC, "truncated"),
        (header(SCHEMA) + long(1) + long(2**60) + SYNC, "bytes; the most is 536,870,912"),
        (b"Obj\x01" + long(1) + long(2**20), "truncated"),
        (b"Obj\x01" + long(1) + long(2**62), "bytes; the most is 16,777,216"),
        (b"Obj\x01" + long(1) + long(-3), "damaged: a length of -3 bytes"),
        (b"Obj\x01" + b"\xff" * 12, "damaged: an integer of more than 64 bits"),
        (header(SCHEMA) + b"\x80" * 10 + bytes(20), "damaged: an integer of more than 64 bits"),
    ],
)
def test_what_is_no_whole_container_is_refused_in_words(body: bytes, says: str) -> None:
    with pytest.raises(FileError) as refused:
        blocks_of(body)
    assert says in str(refused.value)


@settings(deadline=None)
@given(sizes=st.lists(st.integers(0, 300_000), max_size=6))
def test_blocks_of_any_size_come_out_as_they_went_in(sizes: list[int]) -> None:
    plains = [bytes([index]) * size for index, size in enumerate(sizes)]
    body = header(SCHEMA) + b"".join(block(index, one) for index, one in enumerate(plains))
    expected = [(sum(range(index)), index, one) for index, one in enumerate(plains)]
    assert blocks_of(body) == expected
