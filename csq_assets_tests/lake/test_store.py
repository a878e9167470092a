"""Partitions: published whole, readable by whatever reads Parquet, over a directory and a bucket."""

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from csq_assets.errors import CsqError, FileError, StorageError
from csq_assets.lake.directory import DirectoryStore
from csq_assets.lake.folders import folder_of
from csq_assets.lake.store import LakeStore, Rows
from csq_assets.lake.temporary import temporary_folder
from csq_assets_tests.hostile_names import HOSTILE_NAMES

FIRST = pl.DataFrame({"user_id": [1, 2], "plan": ["free", None]})
SECOND = pl.DataFrame({"user_id": [3], "plan": ["pro"]})
ODD_NAMES = dict.fromkeys(
    [
        "_key_events__order_",
        "1st_visit",
        "a/b",
        "..",
        ".",
        "a b ",
        "a%2Fb",
        "größe 日",
        "[x]*?",
        "a\"'\\b",
        "a=b#c&d",
        "../../etc",
        "購入完了ページの表示とその直後のボタンのクリックイベント二",
        "клик_по_кнопке_оформления_заказа_на_главной_странице",
        "line\nbreak \x1b[31m \u202e\u3000",
        "購" * 86,
        "購" * 85 + "入",
        "x" * 256,
        "/" * 300,
        *HOSTILE_NAMES,
    ]
)


def write(store: LakeStore, table: str, dump_id: int, *frames: pl.DataFrame) -> str:
    schema = frames[0].schema if frames else FIRST.schema
    return store.write(table, dump_id, Rows(schema, iter(frames), dict)).location


def refusal(store: LakeStore, frames: Iterator[pl.DataFrame]) -> CsqError:
    with pytest.raises(CsqError) as refused:
        store.write("users", 12, Rows(FIRST.schema, frames, dict))
    return refused.value


def all_keys(store: LakeStore) -> list[str]:
    return sorted(found.key for found in store.objects.list(""))


def test_a_partition_is_its_frames_in_their_order(store: LakeStore) -> None:
    written = store.write(
        "users", 12, Rows(FIRST.schema, iter([FIRST, SECOND]), lambda: {"k": "größer"})
    )
    assert store.scan("users", 12).collect().equals(pl.concat([FIRST, SECOND]))
    assert store.footer("users", 12)["k"] == "größer"
    assert written.location == f"{store.objects.url}/raw/users/dump_id=12/data.parquet"
    assert written.location == store.location("users", 12)
    stat = store.objects.stat("raw/users/dump_id=12/data.parquet")
    assert stat is not None
    assert written.size_bytes == stat.size_bytes
    assert all_keys(store) == ["raw/users/dump_id=12/data.parquet"]


def test_a_partition_is_a_local_file_while_it_is_read(store: LakeStore) -> None:
    written = store.write("users", 12, Rows(FIRST.schema, iter([FIRST]), dict))
    with store.local_file("users", 12, digest=written.digest) as path:
        assert pl.read_parquet(path).equals(FIRST)
    assert store.scan("users", 12).collect().equals(FIRST)  # also where it was the file itself


def test_a_large_partition_is_a_local_file_too(store: LakeStore) -> None:
    texts = pl.DataFrame({"text": [f"{number * 7919**5}" for number in range(1_000_000)]})
    written = store.write("users", 12, Rows(texts.schema, iter([texts]), dict))
    assert written.size_bytes > 8 * 1024 * 1024
    with store.local_file("users", 12, digest=written.digest) as path:
        assert pl.read_parquet(path).equals(texts)


def test_a_partition_of_other_bytes_than_were_written_is_refused(store: LakeStore) -> None:
    written = store.write("users", 12, Rows(FIRST.schema, iter([FIRST]), dict))
    key = "raw/users/dump_id=12/data.parquet"
    body = bytearray(store.objects.read(key))
    body[40] ^= 1
    store.objects.put(key, bytes(body))
    with (
        pytest.raises(StorageError) as refused,
        store.local_file("users", 12, digest=written.digest),
    ):
        pass
    assert str(refused.value) == (
        "dump 12, table users: cannot read the partition in the lake: its bytes are not those that "
        "were written. Try again; if the error persists, materialize that partition again."
    )


def test_a_local_file_that_changes_under_its_reader_is_refused(
    directory_objects: DirectoryStore,
) -> None:
    store = LakeStore(directory_objects)
    for change in (lambda: write(store, "users", 12, SECOND), lambda: store.delete("users", 12)):
        write(store, "users", 12, FIRST)
        with (
            pytest.raises(StorageError, match="changed while it was read"),
            store.local_file("users", 12),
        ):
            change()


def test_the_footer_is_asked_when_all_frames_were_taken(store: LakeStore) -> None:
    rows = 0

    def frames() -> Iterator[pl.DataFrame]:
        nonlocal rows
        for frame in (FIRST, SECOND):
            rows += frame.height
            yield frame

    store.write("users", 12, Rows(FIRST.schema, frames(), lambda: {"rows": str(rows)}))
    assert store.footer("users", 12)["rows"] == "3"


@pytest.mark.edge(15, 16)
def test_a_partition_without_rows_has_its_columns(store: LakeStore) -> None:
    write(store, "users", 12)
    assert store.scan("users", 12).collect_schema() == FIRST.schema
    assert store.scan("users", 12).collect().height == 0


def test_writing_again_replaces_the_partition(store: LakeStore) -> None:
    write(store, "users", 12, FIRST)
    write(store, "users", 12, SECOND.rename({"plan": "tier"}))
    assert store.scan("users", 12).collect().to_dicts() == [{"user_id": 3, "tier": "pro"}]
    assert all_keys(store) == ["raw/users/dump_id=12/data.parquet"]


def test_a_failure_while_frames_come_leaves_the_earlier_partition(store: LakeStore) -> None:
    write(store, "users", 12, FIRST)

    def frames() -> Iterator[pl.DataFrame]:
        yield SECOND
        raise FileError("truncated", where={"file": "b.avro"})

    assert str(refusal(store, frames())) == "file b.avro: truncated"
    assert store.scan("users", 12).collect().equals(FIRST)
    assert all_keys(store) == ["raw/users/dump_id=12/data.parquet"]


def test_a_failure_while_frames_come_leaves_nothing_where_nothing_was(store: LakeStore) -> None:
    def frames() -> Iterator[pl.DataFrame]:
        yield SECOND
        raise FileError("truncated")

    refusal(store, frames())
    assert (store.partitions(), all_keys(store)) == (frozenset(), [])


def test_frames_of_another_schema_are_a_mistake_and_leave_nothing(store: LakeStore) -> None:
    with pytest.raises(pl.exceptions.SchemaError):
        store.write("users", 12, Rows(FIRST.schema, iter([SECOND.cast(pl.String)]), dict))
    assert store.partitions() == frozenset()


def test_a_full_disk_is_told_and_leaves_the_earlier_partition(
    directory_objects: DirectoryStore,
) -> None:
    store = LakeStore(directory_objects)
    write(store, "users", 12, FIRST)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    large = pl.DataFrame({"user_id": range(50_000), "plan": [str(n) for n in range(50_000)]})
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        refused = refusal(store, iter([large]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert isinstance(refused, StorageError)
    assert "cannot be written" in refused.message
    assert refused.remedy == "Make room, then run csq sync again."
    assert store.scan("users", 12).collect().equals(FIRST)
    assert all_keys(store) == ["raw/users/dump_id=12/data.parquet"]


def test_partitions_are_told_by_table_and_dump(store: LakeStore) -> None:
    write(store, "users", 12, FIRST)
    write(store, "users", 9223372036854775807, FIRST)
    write(store, "clicks", 0, FIRST)
    store.objects.put("raw/users/dump_id=13/other.parquet", b"")
    store.objects.put("raw/users/dump_id=x/data.parquet", b"")
    store.objects.put("raw/data.parquet", b"")
    assert store.partitions() == {("users", 12), ("users", 9223372036854775807), ("clicks", 0)}


def test_the_dumps_of_a_table_are_listed_in_ascending_order(store: LakeStore) -> None:
    for table, dump_ids in (("a/b", (10, 9, 100)), ("a/b c", (7,)), ("..", (8,))):
        for dump_id in dump_ids:
            write(store, table, dump_id, FIRST)
    store.objects.put("raw/a%2Fb/dump_id=x/data.parquet", b"")
    store.objects.put("raw/a%2Fb/dump_id=11", b"")
    assert store.dumps_of("a/b") == [9, 10, 100]
    assert (store.dumps_of(".."), store.dumps_of("a"), store.dumps_of("users")) == ([8], [], [])
    store.delete("a/b", 10)
    assert store.dumps_of("a/b") == [9, 100]


def test_a_deleted_partition_is_gone_alone(store: LakeStore) -> None:
    write(store, "users", 12, FIRST)
    write(store, "users", 13, FIRST)
    store.delete("users", 12)
    store.delete("users", 14)
    assert store.partitions() == {("users", 13)}
    for reach in (store.scan, lambda *partition: store.local_file(*partition).__enter__()):
        with pytest.raises(StorageError) as refused:
            reach("users", 12)
        assert str(refused.value) == (
            "dump 12, table users: there is no such partition in the lake. "
            "Materialize it, or run csq sync."
        )


@pytest.mark.edge(64)
def test_tables_of_any_name_have_a_folder_of_their_own(store: LakeStore, tmp_path: Path) -> None:
    for number, table in enumerate(ODD_NAMES):
        write(store, table, 12, pl.DataFrame({"user_id": [number]}))
    assert store.partitions() == {(table, 12) for table in ODD_NAMES}
    for number, table in enumerate(ODD_NAMES):
        assert store.scan(table, 12).collect().to_dicts() == [{"user_id": number}]
    for key in all_keys(store):
        raw, folder, partition, file = key.split("/")
        assert (raw, partition, file) == ("raw", "dump_id=12", "data.parquet")
        assert folder not in (".", "..")
        assert len(folder.encode()) <= 255
        assert folder.isprintable()
    for table in ODD_NAMES:
        assert store.dumps_of(table) == [12]
    assert {path.name for path in tmp_path.iterdir()} <= {"my lake"}


@pytest.mark.parametrize(
    ("table", "folder"),
    [
        ("größe 日", "größe 日"),
        ("購入完了ページの表示とその直後のボタンのクリックイベント", None),
        ("a/b%2F*?[{~", "a%2Fb%252F%2A%3F%5B%7B~"),
        ("x" * 255, None),
        ("x" * 256, f"{'x' * 237}%~85e62acd750c4eb5"),
        ("購" * 86, f"{'購' * 79}%~7aa4b60b9ccca010"),
        ("/" * 86, f"{'%2F' * 79}%~8253e1c020580e56"),
    ],
)
def test_a_folder_keeps_the_name_where_it_can(table: str, folder: str | None) -> None:
    assert folder_of(table) == (folder or table)


def test_a_long_name_is_known_though_a_file_is_damaged(store: LakeStore) -> None:
    table = "購" * 100
    for dump_id in (12, 13):
        write(store, table, dump_id, FIRST)
    store.objects.put(f"raw/{folder_of(table)}/dump_id=12/data.parquet", b"damaged")
    assert store.partitions() == {(table, 12), (table, 13)}
    store.objects.put(f"raw/{folder_of(table)}/dump_id=13/data.parquet", b"damaged")
    write(store, "users", 7, FIRST)
    assert ("users", 7) in store.partitions()


@pytest.mark.parametrize("table", ["users", "größe 日", "a/b", "[x]*?"])
def test_other_programs_read_a_table_by_a_glob(
    directory_objects: DirectoryStore, table: str
) -> None:
    store = LakeStore(directory_objects)
    locations = [write(store, table, 12, FIRST), write(store, table, 9, SECOND)]
    glob = locations[0].replace("dump_id=12/data", "dump_id=*/*")
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT user_id, plan, dump_id FROM read_parquet(?, hive_partitioning = true) "
            "ORDER BY user_id",
            [glob],
        ).fetchall()
    assert found == [(1, "free", 12), (2, None, 12), (3, "pro", 9)]
    frame = pl.read_parquet(glob).sort("user_id")
    assert frame.select("user_id", "plan").equals(pl.concat([FIRST, SECOND]))


def test_a_wide_table_is_written_in_small_row_groups(directory_objects: DirectoryStore) -> None:
    store = LakeStore(directory_objects)
    wide = pl.DataFrame({f"c{number}": ["x"] * 9_000 for number in range(1_000)})
    widest = pl.DataFrame({f"c{number}": [None] * 257 for number in range(20_000)})
    narrow = pl.DataFrame({"user_id": range(200_000)})
    with duckdb.connect() as connection:
        found = [
            connection.execute(
                "SELECT max(row_group_num_rows), count(DISTINCT row_group_id) "
                "FROM parquet_metadata(?)",
                [write(store, table, 12, frame)],
            ).fetchone()
            for table, frame in (("widest", widest), ("wide", wide), ("narrow", narrow))
        ]
    assert found == [(256, 2), (4_000, 3), (122_880, 2)]  # rows, groups


def test_a_damaged_or_missing_file_is_told_by_its_partition(store: LakeStore) -> None:
    store.objects.put("raw/users/dump_id=12/data.parquet", b"PAR1 and then nothing")
    for dump_id in (12, 13):
        with pytest.raises(StorageError) as refused:
            store.footer("users", dump_id)
        location = store.location("users", dump_id)
        assert str(refused.value).startswith(
            f"dump {dump_id}, table users: {location} cannot be read: "
        )
        assert refused.value.remedy == "If the file is damaged, delete it and run csq sync."


def test_a_file_whose_footer_is_damaged_is_told_whatever_polars_makes_of_it(
    directory_objects: DirectoryStore, capfd: pytest.CaptureFixture[str]
) -> None:
    """An error, a panic, or other rows: those are seen by whoever compares the digest."""
    store = LakeStore(directory_objects)
    path = Path(write(store, "users", 12, pl.concat([FIRST, SECOND])))
    body = path.read_bytes()
    footer = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    said: list[str] = []
    for place in range(footer, len(body)):
        path.write_bytes(body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :])
        try:
            with store.rows("users", 12) as rows:
                rows.collect()
        except StorageError as error:
            said.append(str(error))
    assert len(said) > len(body[footer:]) / 4
    beginning = f"dump 12, table users: {path} cannot be read: "
    assert [one for one in said if not one.startswith(beginning) or "\n" in one] == []
    assert capfd.readouterr().err == ""


def test_temporary_folders_of_killed_processes_go_a_day_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, directory_objects: DirectoryStore
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder() as folder:
        left = Path(shutil.copytree(folder, tmp_path / "csq_assets-staged-left"))
        mine = Path(shutil.copytree(folder, tmp_path / "csq_assets-mine"))
        two_days_ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
        for each in (left, mine):
            os.utime(each, (two_days_ago, two_days_ago))
        LakeStore(directory_objects).remove_unfinished_writes(datetime.now(UTC))
        assert (left.exists(), mine.exists(), folder.exists()) == (False, True, True)
