"""What is changed, and what may come of it: a value, or an error in words."""

import io
import json
from collections.abc import Callable, Mapping
from functools import cache
from random import Random
from typing import Any, NamedTuple

import fastavro

from csq_assets.avro.schema import parse_schema
from csq_assets.dataconnect.manifest import TableDump, parse_manifest
from csq_assets.dataconnect.property_definitions import read_property_definitions
from csq_assets.dataconnect.raw_partition import RawPartition
from csq_assets.dataconnect.sync_report import parse_sync_report
from csq_assets.errors import CsqError, printable
from csq_assets.pipeline.ingest import write_partition
from csq_assets_tests.avro.avro_bytes import block, header, long, text
from csq_assets_tests.fuzz.bombs import DOCUMENTS, FILES
from csq_assets_tests.fuzz.containers import (
    BLOCK_ROWS,
    PACK,
    SCHEMA,
    change_byte,
    file_of,
    outcome,
    plain_blocks,
)
from csq_assets_tests.fuzz.mutations import (
    NUMBERS,
    change_bytes,
    change_document,
    change_json,
    spelled,
)

NO_BOMBS: Mapping[str, Callable[[], bytes]] = {}
_LONGEST_ERROR = 6_000
_OUT_OF_MEMORY = "takes more memory than there is"


class Kind(NamedTuple):
    """`make` draws an input. `read` takes it as a pass does; `compare`, if there is one, reads it in
    every way there is, which must agree.
    """

    make: Callable[[Random], bytes]
    read: Callable[[bytes], object]
    bombs: Mapping[str, Callable[[], bytes]] = NO_BOMBS
    compare: Callable[[bytes], object] | None = None

    def judge(self, body: bytes, *, compares: bool) -> str:
        """Say "accepted" or "refused"; raise whatever is neither."""
        if compares and self.compare is not None:
            self.compare(body)
        try:
            self.read(body)
        except CsqError as error:
            _judge_words(error)
            return "refused"
        return "accepted"


MANIFEST: dict[str, Any] = {
    "dump_id": 1235,
    "tables": [
        {
            "name": name,
            "incremental": name != "users",
            "columns": ["user_id", "event_id", "session_id", "time", "plan"],
            "files": [
                f"s3://customer/sync_1235/{name}/part-{part:05}-c000.avro" for part in (0, 1)
            ],
        }
        for name in ("users", "pageviews", "sign_up_click_link")
    ],
    "property_definitions": "s3://customer/sync_1235/property_definitions.json",
}
REPORT: dict[str, Any] = {
    "start_time": 1_772_341_200_000,
    "finish_time": "2026-03-01T05:30:00Z",
    "status": "failed",
    "next_sync_at": 1_772_427_600,
    "error": {"code": 12, "message": "a table could not be read"},
}
DEFINITIONS = [
    {"property": "plan_group", "type": "string", "cases": [{"when": {"plan": "pro"}, "then": 1}]}
] * 3
RICH = {
    "type": "record",
    "name": "row",
    "namespace": "com.acme",
    "fields": [
        {"name": "user_id", "type": "long"},
        {"name": "event_id", "type": ["null", "long"]},
        {"name": "plan", "type": ["string", "null"], "default": "free"},
        {"name": "tags", "type": {"type": "array", "items": ["null", "string"]}},
        {"name": "props", "type": {"type": "map", "values": ["null", "double", "string"]}},
        {"name": "kind", "type": {"type": "enum", "name": "kind", "symbols": ["a", "b"]}},
        {"name": "hash", "type": {"type": "fixed", "name": "hash", "size": 4}},
        {
            "name": "price",
            "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2},
        },
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {
            "name": "place",
            "type": ["null", {"type": "record", "name": "place", "fields": [
                {"name": "city", "type": "string"}, {"name": "near", "type": ["null", "place"]},
            ]}],
        },
    ],
}  # fmt: skip
_ROW: dict[str, Any] = {
    "user_id": 7, "event_id": None, "plan": "prö", "tags": ["a", None], "props": {"a": 0.5, "b": "x"},
    "kind": "b", "hash": b"\0\1\2\3", "price": b"\x01\x02", "at": 1,
    "place": {"city": "x", "near": None},
}  # fmt: skip


@cache
def _rich_rows() -> bytes:
    body = io.BytesIO()
    for _ in range(BLOCK_ROWS):
        fastavro.schemaless_writer(body, json.loads(json.dumps(RICH).replace("decimal", "x")), _ROW)
    return body.getvalue()


def _make_schema(chance: Random) -> bytes:
    return change_json(chance.choice((RICH, SCHEMA)), chance)


def _make_header(chance: Random) -> bytes:
    """A file with another schema over its rows, or with other metadata; whole in all else."""
    rich = chance.random() < 0.6
    schema, plain = (RICH, _rich_rows()) if rich else (SCHEMA, plain_blocks(chance)[0])
    codec = chance.choice(list(PACK))
    body = block(BLOCK_ROWS, PACK[codec](plain))
    draw = chance.random()
    if draw < 0.6:
        return header(spelled(change_document(schema, chance)), codec) + body
    whole = header(schema, codec)
    if draw < 0.8:
        return change_bytes(whole, chance) + body
    more = text(chance.choice(("a", "avro.codec", "avro.schema"))) + text(chance.choice(list(PACK)))
    return whole[:4] + long(chance.choice((1, -1, *_longs()))) + more + whole[4:] + body


def _make_blocks(chance: Random) -> bytes:
    """A file whose blocks claim what they have not, or are cut, doubled or exchanged."""
    codec = chance.choice(list(PACK))
    plains = plain_blocks(chance)
    packed = [PACK[codec](plain) for plain in plains]
    if chance.random() < 0.5:
        packed[0] = change_bytes(packed[0], chance)
    blocks = [block(BLOCK_ROWS, one) for one in packed]
    draw = chance.random()
    if draw < 0.3:
        blocks[1] = block(chance.choice((0, 1, 49, 51, 5_000, *_longs())), packed[1])
    elif draw < 0.6:
        claimed = chance.choice((0, len(packed[1]) - 1, len(packed[1]) + 1, *_longs()))
        blocks[1] = long(BLOCK_ROWS) + long(claimed) + blocks[1][len(block(BLOCK_ROWS, b"")) - 17 :]
    elif draw < 0.8:
        chance.shuffle(blocks)
        blocks = blocks[: chance.randrange(4)] + blocks[: chance.randrange(2)]
    else:
        blocks[2] = change_bytes(blocks[2], chance)
    return header(SCHEMA, codec) + b"".join(blocks)


def _make_rows(chance: Random) -> bytes:
    """Rows with changes, packed again, so that every checksum is right; or damage of one byte."""
    codec = chance.choice(list(PACK))
    if chance.random() < 0.3:
        plain = change_bytes(_rich_rows(), chance)
        return header(RICH, codec) + block(BLOCK_ROWS, PACK[codec](plain))
    plains = plain_blocks(chance)
    if chance.random() < 0.4:
        return change_byte(file_of(codec, plains), chance)
    plains[1] = change_bytes(plains[1], chance)
    return file_of(codec, plains)


def _longs() -> tuple[int, ...]:
    return tuple(number for number in NUMBERS if -(2**63) <= number < 2**63)


def _read_file(body: bytes) -> None:
    """Decode it as the one file of a table."""
    dump = TableDump(12, "page_views", incremental=True, columns=(), files=("s3://customer/a",))

    def take(partition: RawPartition) -> int:
        return sum(frame.height for frame in partition.frames())

    write_partition(dump, lambda _: io.BytesIO(body), take, workers=1, ahead=1)


def _judge_words(error: CsqError) -> None:
    """Raise AssertionError where its text is none for a person, or memory was the reason."""
    words = str(error)
    assert words == printable(words, _LONGEST_ERROR), words
    assert "Traceback" not in words, words
    assert _OUT_OF_MEMORY not in words, words


def _read_definitions(body: bytes) -> None:
    read_property_definitions(12, "s3://customer/d.json", body)


KINDS: Mapping[str, Kind] = {
    "manifests": Kind(lambda chance: change_json(MANIFEST, chance), parse_manifest, DOCUMENTS),
    "sync reports": Kind(lambda chance: change_json(REPORT, chance), parse_sync_report, DOCUMENTS),
    "property definitions": Kind(
        lambda chance: change_json(DEFINITIONS, chance), _read_definitions, DOCUMENTS
    ),
    "Avro schemas": Kind(_make_schema, parse_schema),
    "Avro headers": Kind(_make_header, _read_file, compare=outcome),
    "Avro blocks": Kind(_make_blocks, _read_file, FILES, outcome),
    "Avro rows": Kind(_make_rows, _read_file, compare=outcome),
}


def kind_of(name: str) -> Kind:
    """The kind of this name. A name of no kind is Python: a fault that is planted."""

    def planted(_: bytes) -> None:
        exec(name, {})  # noqa: S102

    return KINDS.get(name) or Kind(lambda _: b"", planted)
