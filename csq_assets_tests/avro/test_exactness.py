"""The native path takes exactly the rows that the complete path takes."""

from typing import Any

import pytest

from csq_assets.avro.batch import Decoded, ReplacedText
from csq_assets.avro.complete import read_complete
from csq_assets.avro.decode import decode, unpack
from csq_assets.avro.native import read_native
from csq_assets.errors import FileError
from csq_assets_tests.avro.avro_bytes import block, header, long, record, text
from csq_assets_tests.fuzz.containers import PACK, batch_of

IDS = ("user_id",)
SCHEMA = record(user_id="long", plan=["null", "string"], paid="boolean")
MANY = 400  # rows, so that the native path is tried first


def row(user_id: bytes, plan: bytes = long(0), paid: bytes = b"\1") -> bytes:
    return user_id + plan + paid


def written(plain: bytes, rows: int, codec: str = "snappy") -> bytes:
    return block(rows, PACK[codec](plain))


def native(*blocks: bytes) -> Decoded | None:
    batch = batch_of(header(SCHEMA, "snappy") + b"".join(blocks))
    return read_native(batch, unpack(batch), IDS)


def refused(*blocks: bytes) -> FileError:
    """The error of a file with these blocks, which the native path does not take."""
    assert native(*blocks) is None
    with pytest.raises(FileError) as error:
        decode(batch_of(header(SCHEMA, "snappy") + b"".join(blocks)), IDS)
    return error.value


def padded(number: int, size: int) -> bytes:
    """An integer that takes more bytes than it needs."""
    bits = (number << 1) ^ (number >> 63)
    parts = [(bits >> 7 * place & 0x7F) | 0x80 for place in range(size - 1)]
    return bytes([*parts, bits >> 7 * (size - 1) & 0x7F])


GOOD = [row(long(number), long(1) + text("pro")) for number in range(MANY)]


@pytest.mark.parametrize(
    ("wrong", "column", "says"),
    [
        (row(b"\xaa\xd4\xfc\xb4\xdb\xcc\xc9\x91\x92\x02"), "user_id", "more than 64 bits"),
        (row(b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"), "user_id", "more than 64 bits"),
        (row(b"\x80" * 9 + b"\x03"), "user_id", "more than 64 bits"),
        (row(b"\xff" * 9 + b"\x7f"), "user_id", "more than 64 bits"),
        (row(b"\x80" * 10 + b"\0"), "user_id", "more than 64 bits"),
        (row(long(1), long(2)), "plan", "branch 2 of a union of 2"),
        (row(long(1), long(-1)), "plan", "branch -1 of a union of 2"),
        (row(long(1), long(3) + text("x")), "plan", "branch 3 of a union of 2"),
        (row(long(1), long(1) + b"\x80" * 9 + b"\x02"), "plan", "more than 64 bits"),
        (row(long(1), paid=b"\2"), "paid", "a boolean of 2"),
        (row(long(1), paid=b"\xff"), "paid", "a boolean of 255"),
    ],
)
def test_what_polars_reads_too_kindly_is_refused_in_a_block_whose_checksum_is_right(
    wrong: bytes, column: str, says: str
) -> None:
    rows = [*GOOD[:200], wrong, *GOOD[200:]]
    error = refused(written(b"".join(rows), len(rows)))
    assert error.where == {"file": "a", "row": 200, "column": column}
    assert says in error.message


@pytest.mark.parametrize("moved", [1, 3, 7, -2])
def test_a_block_that_ends_inside_a_row_is_refused_though_all_the_bytes_are_there(
    moved: int,
) -> None:
    first, second = b"".join(GOOD[:200]), b"".join(GOOD[200:])
    whole = first + second
    cut = len(first) + moved
    assert native(written(first, 200), written(second, 200)) is not None
    assert refused(written(whole[:cut], 200), written(whole[cut:], 200)).where["file"] == "a"


def test_a_row_more_in_one_block_and_a_row_less_in_the_next_is_refused() -> None:
    blocks = written(b"".join(GOOD[:200]), 201), written(b"".join(GOOD[200:]), 199)
    assert refused(*blocks).where == {"file": "a", "row": 200, "column": "user_id"}


@pytest.mark.parametrize(
    ("number", "size"), [(0, 2), (0, 10), (-1, 10), (63, 9), (2**40, 10), (-(2**61), 10)]
)
def test_an_integer_may_take_more_bytes_than_it_needs_up_to_ten(number: int, size: int) -> None:
    rows = [*GOOD, row(padded(number, size))]
    body = header(SCHEMA, "snappy") + written(b"".join(rows), len(rows))
    assert frame_rows(body)[-1] == (number, None, "true")


def test_rows_of_many_blocks_and_all_sizes_of_values_are_taken() -> None:
    numbers = [sign * 2**bits + more for bits in range(63) for sign in (1, -1) for more in (-1, 0)]
    texts = ["x" * size for size in (0, 1, 63, 64, 8191, 8192, 2**20)]
    rows = [row(long(one), long(1) + text("é" * 70)) for one in numbers]
    rows += [row(long(1), long(1) + text(one), b"\0") for one in texts]
    parts = [rows[at : at + 40] for at in range(0, len(rows), 40)]
    blocks = [written(b"".join(part), len(part)) for part in parts]
    found = native(*blocks, written(b"", 0))
    assert found is not None
    assert found.frame.rows() == [
        *((one, "é" * 70, "true") for one in numbers),
        *((1, one, "false") for one in texts),
    ]


BAD = b"caf\xe9 \xc3 \xf0\x9f\x99 \xef\xbf\xbd"  # three sequences, and a U+FFFD that was delivered
READ = "caf\ufffd \ufffd \ufffd \ufffd"


def bad_rows() -> list[bytes]:
    return [*GOOD, row(long(7), long(1) + text(BAD)), *GOOD, row(long(8), long(1) + text(b"\xff"))]


@pytest.mark.parametrize("codec", ["snappy", "bzip2", "xz"])
def test_text_that_is_not_utf_8_is_replaced_where_the_checksum_is_right(codec: str) -> None:
    rows = bad_rows()
    batch = batch_of(header(SCHEMA, codec) + written(b"".join(rows), len(rows), codec))
    plains = unpack(batch)
    by_native = read_native(batch, plains, IDS)
    (complete,) = read_complete(batch, plains, IDS)
    assert by_native is not None
    for decoded in (by_native, complete):
        assert decoded.frame.rows()[MANY] == (7, READ, "true")
        assert decoded.frame.rows()[-1] == (8, "\ufffd", "true")
        assert decoded.replaced == (ReplacedText("a", row=MANY, sequences=4),)


@pytest.mark.parametrize("codec", ["null", "deflate", "zstandard", "lz4"])
def test_text_that_is_not_utf_8_is_refused_where_no_checksum_was_checked(codec: str) -> None:
    rows = bad_rows()
    with pytest.raises(
        FileError, match="a text is not UTF-8: invalid continuation byte at its byte 3"
    ) as error:
        decode(batch_of(header(SCHEMA, codec) + written(b"".join(rows), len(rows), codec)), IDS)
    assert error.value.where == {"file": "a", "row": MANY, "column": "plan"}


def test_a_zstandard_frame_may_bring_a_checksum() -> None:
    # One row, user 7 with the plan "caf\xe9", as the zstd command packs it.
    packed = bytes.fromhex("28b52ffd24084100000e0208636166e901966f8431")
    batch = batch_of(header(SCHEMA, "zstandard") + block(1, packed))
    (decoded,) = decode(batch, IDS)
    assert decoded.frame.rows() == [(7, "caf\ufffd", "true")]
    with pytest.raises(FileError, match="a zstandard block is damaged"):
        decode(batch_of(header(SCHEMA, "zstandard") + block(1, packed[:-1] + b"\0")), IDS)


def frame_rows(body: bytes) -> list[tuple[Any, ...]]:
    return [one for part in decode(batch_of(body), IDS) for one in part.frame.rows()]
