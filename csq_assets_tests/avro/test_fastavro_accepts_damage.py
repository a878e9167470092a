"""Why the Avro reader is our own: what fastavro reads without an error. ARCHITECTURE.md cites this."""

import io
import random
from typing import Any

import fastavro
import pytest

from csq_assets.avro.decode import decode
from csq_assets.errors import FileError
from csq_assets_tests.avro.avro_bytes import block, header, long, record, text
from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.fuzz.containers import batch_of

FLIPS = 40
SCHEMA = record(user_id="long", event_id="long", path="string")
ROWS = [
    {"user_id": number * 7919, "event_id": number, "path": f"/p/{number % 7}"}
    for number in range(200)
]


def read_by_fastavro(body: bytes) -> list[Any] | None:
    """The rows, None where fastavro refuses them."""
    try:
        return list(fastavro.reader(io.BytesIO(body)))
    except Exception:  # noqa: BLE001 - it raises errors of many kinds
        return None


def flipped() -> list[bytes]:
    """Copies of one snappy file, each with one bit of its block flipped."""
    body = encode_avro(ROWS, SCHEMA, codec="snappy")
    begin = body.index(body[-16:]) + 20  # behind the sync marker, the row count and the size
    end = len(body) - 20  # before the CRC and the sync marker
    chance = random.Random(7)  # noqa: S311 - the same each time
    copies = [bytearray(body) for _ in range(FLIPS)]
    for copy, place in zip(copies, chance.sample(range(begin, end), FLIPS), strict=True):
        copy[place] ^= 1 << chance.randrange(8)
    return [bytes(copy) for copy in copies]


def test_fastavro_reads_wrong_rows_from_flipped_snappy_blocks_and_we_refuse_all_of_them() -> None:
    read = [read_by_fastavro(body) for body in flipped()]
    assert sum(rows is not None and rows != ROWS for rows in read) == 21
    for body in flipped():
        with pytest.raises(FileError, match="snappy block is damaged"):
            decode(batch_of(body), ())


@pytest.mark.parametrize(
    ("declared", "stored", "by_fastavro"),
    [
        (["null", "string"], long(-1) + text("x"), "x"),
        ("long", b"\x80" * 12 + b"\1", 524288),
        ("long", b"\xff" * 9 + b"\x7f", -(2**63)),
        ("boolean", b"\x07", True),
    ],
    ids=["branch -1 of a union", "an integer of 13 bytes", "70 bits", "a boolean of 7"],
)
def test_fastavro_reads_a_value_that_avro_does_not_allow_and_we_refuse_it(
    declared: Any, stored: bytes, by_fastavro: Any
) -> None:
    body = header(record(a=declared)) + block(1, stored)
    assert read_by_fastavro(body) == [{"a": by_fastavro}]
    with pytest.raises(FileError):
        decode(batch_of(body), ())
