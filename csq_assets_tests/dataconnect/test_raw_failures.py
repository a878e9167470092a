"""What ends the decoding of a table: the first fault, told by its file, and nothing left open."""

import io
import threading
from pathlib import Path

import pytest

from csq_assets.dataconnect.raw_table import RawPartition, UnknownColumnsError, write_partition
from csq_assets.errors import FileError, IdentifierError
from csq_assets_tests.avro.avro_bytes import header, record
from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.dataconnect.raw_tables import (
    EVENT,
    GOOD,
    Bucket,
    dump_of,
    events,
    sink,
    write,
    written,
)


@pytest.mark.edge(23)
def test_a_missing_file_is_told_by_name() -> None:
    bucket = Bucket({"a": encode_avro(events(1), EVENT), "c": encode_avro(events(2), EVENT)})
    with pytest.raises(FileError) as refused:
        write_partition(dump_of(("a", "b", "c")), bucket.open_file, write)
    assert refused.value.where == {"dump": 7, "table": "pageviews", "file": "b"}
    assert bucket.open_now == set()


@pytest.mark.edge(24)
@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "it is empty: 0 bytes"),
        (GOOD[:-40], "truncated"),
        (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "wrong sync marker after row 4"),
        (GOOD[:-22] + bytes([GOOD[-22] ^ 1]) + GOOD[-21:], "a snappy block is damaged"),
        (header(EVENT, "brotli"), 'its codec "brotli" is unknown'),
        (b"<html>", "it is not an Avro container file"),
        (header('"long"'), "its schema is not that of a record"),
    ],
)
def test_a_damaged_file_is_told_by_name_and_ends_everything(body: bytes, says: str) -> None:
    bucket = Bucket({"a": GOOD, "b": body, "c": GOOD})
    with pytest.raises(FileError) as refused:
        write_partition(dump_of(("a", "b", "c")), bucket.open_file, write)
    assert {name: refused.value.where[name] for name in ("dump", "table", "file")} == {
        "dump": 7,
        "table": "pageviews",
        "file": "b",
    }
    assert says in refused.value.message
    assert "redeliver the dump" in refused.value.remedy
    assert bucket.open_now == set()


@pytest.mark.parametrize("workers", [1, 4])
def test_of_several_errors_the_first_in_manifest_order_is_told(workers: int) -> None:
    wrong = [{"user_id": "x", "event_id": 1, "path": "/"}]
    bucket = Bucket({"a": GOOD, "b": encode_avro(wrong), "c": b"", "d": encode_avro(wrong)})
    with pytest.raises(IdentifierError) as refused:
        write_partition(
            dump_of(("a", "b", "c", "d", "e")), bucket.open_file, write, workers=workers
        )
    assert refused.value.where == {
        "dump": 7,
        "table": "pageviews",
        "file": "b",
        "row": 0,
        "column": "user_id",
    }


@pytest.mark.edge(31)
def test_an_id_that_is_none_is_told_with_its_row_among_many_files() -> None:
    files = {f"f{index}": encode_avro([{"user_id": "5"}] * 3) for index in range(4)}
    files["f2"] = encode_avro([{"user_id": "5"}, {"user_id": "5"}, {"user_id": "12x"}])
    with pytest.raises(IdentifierError) as refused:
        written(files, ["user_id"], "users")
    assert str(refused.value) == (
        "dump 7, table users, file f2, row 2, column user_id: not a 64-bit integer: '12x'. "
        "Ask Contentsquare to redeliver the dump, or replace the file in place."
    )


@pytest.mark.parametrize("when", ["while it is opened", "while it is read"])
def test_a_file_that_takes_too_much_memory_is_an_error_of_its_table(when: str) -> None:
    class Greedy(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if when == "while it is opened" or self.tell() > 0:
                raise MemoryError
            return super().read(200)

    with pytest.raises(FileError) as refused:
        write_partition(dump_of(("a",), ["path"], "clicks"), lambda _: Greedy(GOOD), write)
    assert refused.value.where == {"dump": 7, "table": "clicks", "file": "a"}
    assert refused.value.message == "decoding it takes more memory than there is"
    assert refused.value.remedy.startswith("Give the process more memory")


def test_all_files_and_threads_end_where_the_writer_stops_half_way() -> None:
    # Other columns each time, so that every file is a batch of its own.
    files = {
        f"f{index}": encode_avro(events(1), {**EVENT, "fields": EVENT["fields"][:: (-1) ** index]})
        for index in range(40)
    }
    bucket = Bucket(files)

    class DiskFullError(Exception):
        pass

    def stop(partition: RawPartition) -> None:
        frames = partition.frames()
        assert next(frames).height
        raise DiskFullError  # and `frames` stays, with the traceback

    with pytest.raises(DiskFullError) as raised:
        write_partition(dump_of(tuple(files)), bucket.open_file, stop)
    assert raised.tb is not None
    assert bucket.open_now == set()
    # Polars has threads of its own, which Python learns of when they call it.
    assert [one.name for one in threading.enumerate() if one.name.startswith("csq-")] == []


@pytest.mark.parametrize(
    ("bodies", "error"),
    [
        ([GOOD, b""], FileError),
        (
            [
                GOOD,
                encode_avro(
                    events(1),
                    record(user_id="long", event_id="long", path="string", new=["null", "long"]),
                ),
            ],
            UnknownColumnsError,
        ),
    ],
)
def test_what_is_raised_while_parquet_is_streamed_arrives_as_it_is(
    tmp_path: Path, bodies: list[bytes], error: type[Exception]
) -> None:
    files = {str(index): body for index, body in enumerate(bodies)}
    seen: list[type[Exception]] = []

    def write_parquet(partition: RawPartition) -> None:
        try:
            sink(partition, tmp_path / "out.parquet", dict)
        except (FileError, UnknownColumnsError) as raised:
            seen.append(type(raised))

    write_partition(dump_of(tuple(files)), Bucket(files).open_file, write_parquet)
    assert seen == [error]
