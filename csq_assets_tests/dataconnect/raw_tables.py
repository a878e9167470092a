"""A table of a dump, decoded from files in memory."""

import io
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
from polars.io.plugins import register_io_source

from csq_assets.dataconnect.manifest import TableDump
from csq_assets.dataconnect.raw_schema import DecodeTotals, RawSchema
from csq_assets.dataconnect.raw_table import RawPartition, write_partition
from csq_assets.dataconnect.redaction import Redaction
from csq_assets.errors import FileError
from csq_assets_tests.avro.avro_bytes import record
from csq_assets_tests.avro_files import encode_avro

EVENT = record(user_id="long", event_id="long", path="string")


class Bucket:
    """Files by path, which knows which of them are open, and which were opened."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.opened: list[str] = []
        self.open_now: set[str] = set()
        self.most_open = 0
        self._lock = threading.Lock()

    def open_file(self, path: str) -> BinaryIO:
        if path not in self.files:
            raise FileError("the file is missing")
        bucket = self

        class Tracked(io.BytesIO):
            def close(self) -> None:
                super().close()
                bucket.open_now.discard(path)

        with self._lock:
            self.opened.append(path)
            self.open_now.add(path)
            self.most_open = max(self.most_open, len(self.open_now))
        return Tracked(self.files[path])


_NOTHING = Redaction()


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    frame: pl.DataFrame
    raw_schema: RawSchema
    totals: DecodeTotals


def write(partition: RawPartition) -> Written:
    frames = list(partition.frames())
    assert all(frame.schema == partition.schema and frame.height for frame in frames)
    frame = pl.concat([pl.DataFrame(schema=partition.schema), *frames])
    return Written(frame, partition.raw_schema, partition.totals)


def dump_of(
    files: Sequence[str], columns: Sequence[str] = (), table: str = "pageviews"
) -> TableDump:
    return TableDump(
        dump_id=7, table=table, incremental=True, columns=tuple(columns), files=tuple(files)
    )


def written(
    files: Mapping[str, bytes],
    columns: Sequence[str] = (),
    table: str = "clicks",
    redaction: Redaction = _NOTHING,
    **options: int,
) -> Written:
    bucket = Bucket(files)
    dump = dump_of(tuple(files), columns, table)
    result = write_partition(dump, bucket.open_file, write, redaction=redaction, **options)
    assert bucket.open_now == set()
    return result


def events(*ids: int) -> list[dict[str, Any]]:
    return [{"user_id": one, "event_id": one * 10, "path": f"/{one}"} for one in ids]


def sink(partition: RawPartition, path: Path, footer: Callable[[], dict[str, str]]) -> None:
    """As the lake writes: frames streamed into one Parquet file, the footer last."""
    source = register_io_source(lambda *_: partition.frames(), schema=partition.schema)
    source.sink_parquet(path, metadata=lambda _: footer())


GOOD = encode_avro(events(1, 2, 3, 4), EVENT, block_rows=2)
