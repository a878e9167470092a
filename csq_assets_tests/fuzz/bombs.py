"""Small inputs that ask for much memory or time. Each is refused, or read within the limits."""

import bz2
import json
import lzma
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import cramjam

from csq_assets_tests.avro.avro_bytes import block, header, long, record, text
from csq_assets_tests.fuzz.containers import PACK

MEBIBYTE = 1024 * 1024
_DOCUMENT_BYTES = 64 * MEBIBYTE - 100


def _document(part: str, before: str = "[", after: str = "]") -> bytes:
    """As large as a document may be, with the part again and again."""
    repeated = part * ((_DOCUMENT_BYTES - len(before) - len(after)) // len(part))
    return f"{before}{repeated.removesuffix(',')}{after}".encode()


def _manifest(part: str, field: str) -> bytes:
    table = {"name": "users", "incremental": False, "columns": [], "files": [], field: "@"}
    before, _, after = json.dumps({"dump_id": 12, "tables": [table]}).partition('"@"')
    return _document(part, f"{before}[", f"]{after}")


def _distinct() -> bytes:
    names = json.dumps([f"{number:x}" for number in range(5_000_000)])[:-1]
    return _manifest(names[1 : _DOCUMENT_BYTES - 200].rpartition(",")[0], "columns")


def _nested(depth: int, around: str = "array", key: str = "items") -> str:
    return f'{{"type": "{around}", "{key}": ' * depth + '"long"' + "}" * depth


def _nested_schema(depth: int) -> str:
    return (
        f'{{"type": "record", "name": "r", "fields": [{{"name": "a", "type": {_nested(depth)}}}]}}'
    )


def _enum(symbol_bytes: int) -> dict[str, Any]:
    return {"type": "enum", "name": "e", "symbols": ["x" * symbol_bytes]}


def _decimal(scale: int) -> dict[str, Any]:
    return {"type": "bytes", "logicalType": "decimal", "precision": scale, "scale": scale}


def _wide(rows: int) -> bytes:
    schema = record(user_id="long", **{f"c{number}": "null" for number in range(49_999)})
    return header(schema) + block(rows, long(1) * rows)


def _doubled(depth: int) -> dict[str, Any]:
    """A record of two of a record of two ...: its rows have 2^depth values that take no bytes."""
    declared: dict[str, Any] = {"type": "null"}
    for level in range(depth):
        name = f"level{level}"
        fields = [{"name": "a", "type": declared}, {"name": "b", "type": "null"}]
        if level:
            fields[1]["type"] = f"level{level - 1}"
        declared = {"type": "record", "name": name, "fields": fields}
    return declared


def _unpacks_to(packed: bytes, codec: str) -> bytes:
    return header(record(a="string"), codec) + block(1, packed)


def _deflated(mebibytes: int) -> bytes:
    stream = zlib.compressobj(9, wbits=-15)
    return b"".join(stream.compress(bytes(MEBIBYTE)) for _ in range(mebibytes)) + stream.flush()


def _snappy_claims(size: int) -> bytes:
    claim = bytearray()
    while size >= 0x80:
        claim.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes(claim) + bytes([size, 0, 0, 0, 0, 0])


DOCUMENTS: Mapping[str, Callable[[], bytes]] = {
    "numbers for tables": lambda: _manifest("1,", "tables"),
    "numbers for columns": lambda: _manifest("1,", "columns"),
    "numbers for files": lambda: _manifest("1,", "files"),
    "empty texts for files": lambda: _manifest('"",', "files"),
    "millions of column names": _distinct,
    "an unknown field of numbers": lambda: _manifest("1,", "more"),
    "an unknown field of lists": lambda: _manifest("[],", "more"),
    "lists of lists": lambda: _document("[],"),
    "objects": lambda: _document("{},"),
    "tables without anything": lambda: _document("{},", '{"dump_id": 1, "tables": [', "]}"),
    "keys": lambda: _document('"a":1,', "{", "}"),
    "depth": lambda: _document("[", "", ""),
    "depth of objects": lambda: _document('{"a":', "", ""),
    "one number": lambda: _document("9", '{"dump_id":', "}"),
    "one text": lambda: _document("x", '{"dump_id":"', '"}'),
    "one text of escapes": lambda: _document("\\u0000", '{"dump_id":"', '"}'),
    "nothing but commas": lambda: _document(",", "[", "]"),
    "spaces": lambda: _document(" ", "", ""),
}
FILES: Mapping[str, Callable[[], bytes]] = {
    **{
        f"a block of 600 MiB, {codec}": (lambda codec=codec: _unpacks_to(_zeros(codec), codec))
        for codec in ("bzip2", "xz", "zstandard")
    },
    "a block of 600 MiB, deflate": lambda: _unpacks_to(_deflated(600), "deflate"),
    "a claim of 4 GiB, snappy": lambda: _unpacks_to(_snappy_claims(2**32 - 1), "snappy"),
    "a claim of 4 GiB, lz4": lambda: _unpacks_to(b"\xff" * 8, "lz4"),
    "a block of 2^50 bytes": lambda: header(record(a="string")) + long(1) + long(2**50) + b"a",
    "2^40 rows of nothing": lambda: header(record(a="null")) + block(2**40, b""),
    "2^40 rows of records of nothing": lambda: header(record(a=record())) + block(2**40, b""),
    "2^40 rows in two bytes": lambda: header(record(a="long")) + block(2**40, b"\0\0"),
    "2^63-1 rows, twice": lambda: header(record(a="null")) + block(2**63 - 1, b"") * 2,
    "rows of nothing in 20,000 blocks": lambda: (
        header(record(a="null")) + block(1_000_000, b"") * 20_000
    ),
    "a header of 2^40 entries": lambda: b"Obj\x01" + long(2**40) + text("a") * 50_000,
    "a header entry of 2^40 bytes": lambda: b"Obj\x01" + long(1) + text("a") + long(2**40),
    "a schema nested 10,000 deep": lambda: header(_nested_schema(10_000)) + block(1, b"\0"),
    "a schema nested 900 deep": lambda: header(_nested_schema(900)) + block(1, b"\2" * 900),
    "values nested 10,000 deep": lambda: (
        header(record(a=["null", "long"]) | {"fields": [{"name": "a", "type": ["null", "row"]}]})
        + block(1, b"\2" * 10_000 + b"\0")
    ),
    "50,000 columns": lambda: _wide(1),
    "50,000 columns of 200 rows": lambda: _wide(200),
    "records of 2^40 values": lambda: header(record(a=_doubled(40))) + block(1, b""),
    "2^40 items that take no bytes": lambda: (
        header(record(a={"type": "array", "items": "null"})) + block(1, long(2**40) + b"\0")
    ),
    "a fixed of 2^40 bytes": lambda: (
        header(record(a={"type": "fixed", "name": "f", "size": 2**40})) + block(1, b"a")
    ),
    "a symbol of 10 MiB, 10,000 times": lambda: (
        header(record(a=_enum(10 * MEBIBYTE))) + block(10_000, b"\0" * 10_000)
    ),
    "a symbol of 1 MiB, 10,000 times in a value": lambda: (
        header(record(a={"type": "array", "items": _enum(MEBIBYTE)}))
        + block(1, long(10_000) + b"\0" * 10_000 + b"\0")
    ),
    "records with a field name of 1 MiB": lambda: (
        header(record(a=record(**{"x" * MEBIBYTE: "boolean"}) | {"name": "inner"}))
        + block(10_000, b"\0" * 10_000)
    ),
    "a decimal with a billion digits": lambda: (
        header(record(a=_decimal(10**9))) + block(1, text(b"\1"))
    ),
    "a decimal with more digits than Python has": lambda: (
        header(record(a=_decimal(10**30))) + block(1, text(b"\1"))
    ),
    "decimals with 10,000 digits": lambda: (
        header(record(a=_decimal(10_000))) + block(100_000, text(b"\1") * 100_000)
    ),
    "texts that are no UTF-8": lambda: (
        header(record(a="string"), "snappy")
        + block(1, PACK["snappy"](text(b"\xff" * (40 * MEBIBYTE))))
    ),
    "control characters in JSON": lambda: (
        header(record(a={"type": "array", "items": "string"}), "snappy")
        + block(1, PACK["snappy"](long(1) + text(bytes(20 * MEBIBYTE)) + b"\0"))
    ),
}  # fmt: skip


def _zeros(codec: str) -> bytes:
    if codec == "zstandard":  # a frame that says nothing of its size
        return bytes(cramjam.zstd.compress(bytes(600 * MEBIBYTE)))
    if codec == "xz":
        return lzma.compress(bytes(600 * MEBIBYTE), preset=0)
    return bz2.compress(bytes(600 * MEBIBYTE), compresslevel=1)
