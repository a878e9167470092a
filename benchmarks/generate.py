"""Writes made-up Avro files and whole exports of any size: the same seed gives the same bytes.

Only a slice of the rows is in memory at a time. Files are as Spark writes them: blocks of about
64 kB before compression, packed with snappy, each with its CRC.
"""

import io
import json
import os
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from benchmarks.made_up import column_names, made_rows, row_bytes

BUCKET = "customer"
_BLOCK_BYTES = 64_000
_SLICE_BYTES = 16_000_000
# What Polars ends its blocks with; headers of our own announce the same.
_SYNC = bytes([1, 2, 3, 4] * 4)


def write_files(folder: Path, table: str, rows: int, files: int, seed: int = 1) -> list[Path]:
    """Write a table's rows into that many files, in order; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    bounds = [rows * number // files for number in range(files + 1)]
    parts = [
        _Part(folder / f"part-{number:05}-c000.avro", *bounds[number : number + 2])
        for number in range(files)
    ]
    groups = list(_grouped(parts, table))
    if len(groups) == 1:
        _write(groups[0], table, seed)
    else:
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            list(threads.map(lambda group: _write(group, table, seed), groups))
    return [part.path for part in parts]


def write_block(file: Path, table: str, rows: int, seed: int = 1) -> None:
    """Replace a file by one with the same rows in a single block."""
    frame = made_rows(table, 0, rows, seed)
    file.write_bytes(_header(table, frame.schema) + _blocks(frame, max(1, rows)))


def deliver(
    export: Path,
    dump_id: int,
    tables: Mapping[str, int],
    *,
    files: Mapping[str, int] | None = None,
    full_resync: Collection[str] = ("user_migrations",),
    bucket: str = BUCKET,
) -> Path:
    """Add a dump to an export in a directory: files, manifest, report. Gives the manifest's path.

    `tables` says how many rows each table has, `files` in how many files, one where it says nothing.
    Each dump has events of its own; its users are those of the others.
    """
    listed = [
        {
            "name": table,
            "incremental": table not in full_resync,
            "columns": column_names(table),
            "files": [
                f"s3://{bucket}/{path.relative_to(export).as_posix()}"
                for path in write_files(
                    export / f"sync_{dump_id}" / table,
                    table,
                    rows,
                    (files or {}).get(table, 1),
                    seed=dump_id,
                )
            ],
        }
        for table, rows in tables.items()
    ]
    manifest = export / "manifests" / f"sync_{dump_id}.json"
    _write_json(manifest, {"dump_id": dump_id, "tables": listed})
    now = datetime.now(UTC)
    report = {
        "start_time": _milliseconds(now - timedelta(hours=1)),
        "finish_time": _milliseconds(now),
        "status": "succeeded",
        "next_sync_at": _milliseconds(now + timedelta(days=1)),
        "error": None,
    }
    _write_json(export / "sync_reports" / f"sync_{dump_id}.json", report)
    return manifest


@dataclass(frozen=True, slots=True)
class _Part:
    """A file, and which rows of its table it holds."""

    path: Path
    start: int
    stop: int


def _grouped(parts: list[_Part], table: str) -> Iterator[list[_Part]]:
    """Neighbours whose rows together make one slice; a larger file is by itself."""
    group: list[_Part] = []
    for part in parts:
        if group and part.stop - group[0].start > _slice_rows(table):
            yield group
            group = []
        group.append(part)
    yield group


def _write(group: list[_Part], table: str, seed: int) -> None:
    start, stop = group[0].start, group[-1].stop
    if len(group) > 1:
        rows = made_rows(table, start, stop, seed)
        for part in group:
            of_part = rows.slice(part.start - start, part.stop - part.start)
            _write_file(part.path, table, iter([of_part]))
        return
    step = _slice_rows(table)
    slices = (
        made_rows(table, at, min(at + step, stop), seed)
        for at in range(start, max(stop, start + 1), step)
    )
    _write_file(group[0].path, table, slices)


def _write_file(path: Path, table: str, slices: Iterator[pl.DataFrame]) -> None:
    with path.open("wb") as file:
        for number, rows in enumerate(slices):
            if number == 0:
                file.write(_header(table, rows.schema))
            file.write(_blocks(rows, _BLOCK_BYTES // row_bytes(table)))


def _blocks(rows: pl.DataFrame, block_rows: int) -> bytes:
    """The rows as blocks, without a header: Polars writes a block for each chunk of a frame."""
    if rows.is_empty():
        return b""
    blocks = [rows.slice(at, block_rows) for at in range(0, rows.height, block_rows)]
    written = io.BytesIO()
    pl.concat(blocks, rechunk=False).write_avro(written, compression="snappy")
    body = written.getvalue()
    return body[body.index(_SYNC) + len(_SYNC) :]


def _header(table: str, schema: pl.Schema) -> bytes:
    fields = [
        {"name": name, "type": ["null", "long" if dtype == pl.Int64 else "string"]}
        for name, dtype in schema.items()
    ]
    record = {"type": "record", "name": table, "fields": fields}
    metadata = {"avro.codec": "snappy", "avro.schema": json.dumps(record, separators=(",", ":"))}
    pairs = b"".join(_text(key) + _text(value) for key, value in metadata.items())
    return b"Obj\x01" + _long(len(metadata)) + pairs + _long(0) + _SYNC


def _text(text: str) -> bytes:
    return _long(len(text.encode())) + text.encode()


def _long(number: int) -> bytes:
    """A number that is not negative, as Avro has it: doubled, seven bits a byte."""
    rest, encoded = number * 2, bytearray()
    while rest > 0x7F:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes(encoded) + bytes([rest])


def _slice_rows(table: str) -> int:
    return _SLICE_BYTES // row_bytes(table)


def _write_json(path: Path, document: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1_000)
