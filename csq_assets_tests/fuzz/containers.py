"""Changes single bytes of Avro files, and holds the reading paths against each other.

Half of the changes are damage of the packed file. The other half are made to the plain rows, which
are then packed again, as if the sender had written them so: a checksum finds nothing there.
"""

import io
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import cramjam
from polars.testing import assert_frame_equal

from csq_assets.avro.batch import Batch, Decoded
from csq_assets.avro.complete import read_complete
from csq_assets.avro.container import Container
from csq_assets.avro.decode import decode, unpack
from csq_assets.avro.schema import parse_schema
from csq_assets.errors import CsqError
from csq_assets_tests.avro.avro_bytes import block, header, plain_rows, record

PACK: dict[str, Callable[[bytes], bytes]] = {
    "null": bytes,
    "deflate": lambda plain: zlib.compress(plain)[2:-4],
    "snappy": lambda plain: (
        bytes(cramjam.snappy.compress_raw(plain)) + zlib.crc32(plain).to_bytes(4, "big")
    ),
    "bzip2": lambda plain: bytes(cramjam.bzip2.compress(plain)),
    "xz": lambda plain: bytes(cramjam.xz.compress(plain)),
    "zstandard": lambda plain: bytes(cramjam.zstd.compress(plain)),
    "lz4": lambda plain: bytes(cramjam.lz4.compress_block(plain)),
}
IDS = ("user_id", "event_id")
SCHEMA = record(
    user_id="long",
    event_id=["null", "long"],
    plan=["string", "null"],
    path="string",
    paid=["null", "boolean"],
    seen="boolean",
    score=["null", "double"],
)
BLOCKS, BLOCK_ROWS = 3, 50  # enough for the native path


def plain_blocks(chance: random.Random) -> list[bytes]:
    """Rows of every native type, with values of all sizes."""

    def row() -> dict[str, object]:
        return {
            "user_id": chance.randrange(-(2**63), 2**63) >> chance.randrange(64),
            "event_id": chance.choice([None, chance.randrange(2**62, 2**63), chance.randrange(99)]),
            "plan": chance.choice([None, "", "prö", "x" * chance.randrange(200)]),
            "path": f"/{chance.randrange(999)}/" + "é" * chance.randrange(3),
            "paid": chance.choice([None, True, False]),
            "seen": chance.choice([True, False]),
            "score": chance.choice([None, chance.random()]),
        }

    return [plain_rows(SCHEMA, [row() for _ in range(BLOCK_ROWS)]) for _ in range(BLOCKS)]


def file_of(codec: str, plains: list[bytes]) -> bytes:
    packed = (block(BLOCK_ROWS, PACK[codec](plain)) for plain in plains)
    return header(SCHEMA, codec) + b"".join(packed)


def change_byte(body: bytes, chance: random.Random) -> bytes:
    changed = bytearray(body)
    changed[chance.randrange(len(body))] ^= chance.randrange(1, 256)
    return bytes(changed)


def changed_files(codec: str, changes: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Files with one byte changed, by turns in the packed file and in the plain rows."""
    chance = random.Random(seed)  # noqa: S311 - nothing is kept secret
    plains = plain_blocks(chance)
    for number in range(changes):
        if number % 2:
            place = chance.randrange(BLOCKS)
            rewritten = change_byte(plains[place], chance)
            yield "written so", file_of(codec, [*plains[:place], rewritten, *plains[place + 1 :]])
        else:
            yield "damaged", change_byte(file_of(codec, plains), chance)


def outcome(body: bytes) -> str:
    """What comes of a file. Raises AssertionError where the reading paths disagree."""
    try:
        batch = batch_of(body)
        plains = unpack(batch)
    except CsqError:
        return "refused"
    complete = rows_or_error(lambda: read_complete(batch, plains, IDS))
    assert_same(rows_or_error(lambda: decode(batch, IDS)), complete)
    return "refused" if isinstance(complete, str) else "accepted"


def batch_of(body: bytes) -> Batch:
    container = Container(io.BytesIO(body))
    batch = Batch(parse_schema(container.schema))
    for found in container.blocks():
        batch.add("a", found)
    return batch


def rows_or_error(read: Callable[[], Iterable[Decoded]]) -> list[Decoded] | str:
    try:
        return list(read())
    except CsqError as error:
        return str(error)


def assert_same(found: list[Decoded] | str, expected: list[Decoded] | str) -> None:
    if isinstance(found, str) or isinstance(expected, str):
        assert found == expected
        return
    for one, other in zip(found, expected, strict=True):
        assert_frame_equal(one.frame, other.frame)
        assert (one.runs, one.replaced) == (other.runs, other.replaced)


def fuzz(codec: str, changes: int, seed: int) -> Counter[str]:
    """How often each thing came of files with one byte changed."""
    return Counter(f"{kind}, {outcome(body)}" for kind, body in changed_files(codec, changes, seed))
