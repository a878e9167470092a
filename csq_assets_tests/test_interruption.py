"""Work in a thread, and what a signal does to it."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import Any

import boto3
import duckdb
import polars as pl
import pytest

from csq_assets.interruption import Interrupted, interruptible, raise_if_interrupted, result_of
from csq_assets.lake.bucket import BucketStore
from csq_assets.lake.directory import DirectoryStore
from csq_assets.lake.store import LakeStore, Rows
from csq_assets.prefetch import map_in_order, open_in_order
from csq_assets_tests.faulty_s3 import FaultyS3, Request


def interrupt() -> None:
    """What a signal handler of Dagster's, or of csq, does."""
    raise KeyboardInterrupt


def test_work_gives_its_result_or_its_error() -> None:
    assert interruptible(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0)


def test_what_is_interrupted_ends_before_the_interruption_goes_on() -> None:
    ended = Event()

    def work() -> None:
        try:
            while True:
                raise_if_interrupted()
        except Interrupted:
            ended.set()

    with pytest.raises(KeyboardInterrupt):
        interruptible(work, meanwhile=interrupt)
    assert ended.is_set()
    raise_if_interrupted()  # it is over


def test_a_query_of_duckdb_is_interrupted() -> None:
    with duckdb.connect() as connection:

        def work() -> None:
            connection.execute(
                "SELECT count(*) FROM range(1_000_000) a, range(1_000_000) b"
            ).fetchall()

        with pytest.raises(KeyboardInterrupt):
            interruptible(work, stop=connection.interrupt, meanwhile=interrupt)
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_a_partition_that_is_being_written_is_given_up(directory_objects: DirectoryStore) -> None:
    def frames() -> Iterator[pl.DataFrame]:
        while True:
            yield pl.DataFrame({"x": [1]})

    rows = Rows(pl.Schema({"x": pl.Int64()}), frames())
    store = LakeStore(directory_objects)
    with pytest.raises(KeyboardInterrupt):
        interruptible(lambda: store.write("users", 12, rows), meanwhile=interrupt)
    assert [path for path in directory_objects.root.rglob("*") if path.is_file()] == []
    assert list((directory_objects.root / ".staging").iterdir()) == []


@pytest.mark.s3
def test_an_upload_is_given_up_whole(faulty_s3: FaultyS3, s3_client: Any, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    staged.write_bytes(bytes(20 * 1024 * 1024))
    begun, released = Event(), Event()

    def hang(request: Request) -> None:
        if request.method == "POST" and request.path.endswith("?uploads"):
            begun.set()
            released.wait()

    def interrupt_when_begun() -> None:
        if begun.is_set():
            interrupt()

    faulty_s3.fault = hang
    objects = BucketStore(boto3.Session().client("s3"), "customer", setting="CSQ_LAKE_URL")
    with pytest.raises(KeyboardInterrupt):
        interruptible(
            lambda: objects.publish(staged, "raw/data.parquet"),
            stop=released.set,
            meanwhile=interrupt_when_begun,
        )
    assert "Uploads" not in s3_client.list_multipart_uploads(Bucket="customer")
    assert objects.stat("raw/data.parquet") is None


def test_what_never_comes_is_not_waited_for() -> None:
    with pytest.raises(KeyboardInterrupt):
        interruptible(lambda: result_of(Future()), meanwhile=interrupt)


def test_files_and_work_that_hang_are_left_behind() -> None:
    never = Event()

    def hang(_: object) -> "File":
        never.wait()
        return File()

    def take_files() -> None:
        with open_in_order(["a"], hang, ahead=1) as files:
            next(files)

    try:
        for work in (take_files, lambda: next(map_in_order(hang, ["a"], workers=1))):
            with pytest.raises(KeyboardInterrupt):
                interruptible(work, meanwhile=interrupt)
    finally:
        never.set()


class File:
    size_bytes = 1

    def close(self) -> None:
        """Nothing to do."""


def test_a_second_signal_does_not_wait_for_work_that_hangs() -> None:
    never = Event()
    try:
        with pytest.raises(KeyboardInterrupt):  # the second is what `stop` raises
            interruptible(never.wait, stop=interrupt, meanwhile=interrupt)
    finally:
        never.set()
