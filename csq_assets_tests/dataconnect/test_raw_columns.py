"""Which columns a table of a dump has, and which are refused."""

from typing import BinaryIO

import pytest

from csq_assets.dataconnect.raw_schema import FileColumn, RawSchema
from csq_assets.dataconnect.raw_table import RawPartition, write_partition
from csq_assets.errors import FileError, IdentifierError, NameClashError
from csq_assets_tests.avro.avro_bytes import record
from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.dataconnect.raw_tables import Bucket, Written, dump_of, write, written


@pytest.mark.edge(28, 29, 30)
def test_files_with_different_columns_are_united_by_name() -> None:
    files = {
        "a": encode_avro([{"plan": "pro", "age": 30}]),
        "b": encode_avro([{"tier": True, "plan": "free"}]),
        "c": encode_avro([{"city": None, "age": "old"}], record(city="null", age="string")),
    }
    result = written(files, ["never", "plan"])
    assert result.frame.drop("_dump_id", "_source_row").to_dicts() == [
        {
            "never": None,
            "plan": "pro",
            "age": "30",
            "tier": None,
            "city": None,
            "_source_file": "a",
        },
        {
            "never": None,
            "plan": "free",
            "age": None,
            "tier": "true",
            "city": None,
            "_source_file": "b",
        },
        {
            "never": None,
            "plan": None,
            "age": "old",
            "tier": None,
            "city": None,
            "_source_file": "c",
        },
    ]
    assert result.raw_schema == RawSchema(
        manifest_columns=("never", "plan"),
        file_columns=(
            FileColumn("plan", ("string",), files=2),
            FileColumn("age", ("long", "string"), files=2),
            FileColumn("tier", ("boolean",), files=1),
            FileColumn("city", ("null",), files=1),
        ),
        files=3,
    )
    assert result.raw_schema.lacking == {"never": 3, "plan": 1}
    assert result.raw_schema.extra == {"age": 2, "tier": 1, "city": 1}
    assert result.raw_schema.respelled == {}


def test_a_column_that_differs_in_case_alone_is_taken_for_the_one_the_manifest_lists() -> None:
    files = {
        "a": encode_avro([{"User_Id": "7", "Plan": "pro"}]),
        "b": encode_avro([{"user_id": 8, "plan": "free", "PLAN": "other"}]),
        "c": encode_avro([{"user_id": 9, "Plan": "x", "PLAN": "y"}]),
    }
    result = written(files, ["plan", "user_id"], "users")
    assert result.frame.drop("_dump_id", "_source_file", "_source_row").to_dicts() == [
        {"plan": "pro", "user_id": 7, "PLAN": None, "Plan": None},
        {"plan": "free", "user_id": 8, "PLAN": "other", "Plan": None},
        {"plan": None, "user_id": 9, "PLAN": "y", "Plan": "x"},  # which of them is meant?
    ]
    assert result.raw_schema.lacking == {"plan": 1}
    assert result.raw_schema.extra == {"PLAN": 2, "Plan": 1}
    assert result.raw_schema.respelled == {
        "plan": (("Plan", 1),),
        "user_id": (("User_Id", 1),),
    }


def test_a_column_that_the_manifest_lists_itself_is_not_taken_for_another() -> None:
    files = {"a": encode_avro([{"Plan": "pro"}])}
    result = written(files, ["plan", "Plan"])
    assert result.frame.select("plan", "Plan").rows() == [(None, "pro")]
    assert result.raw_schema.lacking == {"plan": 1}


def test_a_column_of_a_file_may_serve_several_of_the_manifest() -> None:
    result = written({"a": encode_avro([{"User_Id": 7}])}, ["user_id", "USER_ID"], "_metadata")
    assert result.frame.select("user_id", "USER_ID").rows() == [(7, "7")]


def test_an_id_under_another_spelling_is_refused_by_the_name_in_the_file() -> None:
    with pytest.raises(IdentifierError) as refused:
        written({"a": encode_avro([{"User_Id": "x"}])}, ["user_id"], "users")
    assert refused.value.where["column"] == "User_Id"


def test_writing_begins_again_once_where_a_later_file_brings_a_column() -> None:
    bucket = Bucket(
        {
            "a": encode_avro([{"plan": "pro", "age": 30}]),
            "b": encode_avro([{"plan": "pro", "tier": "x"}]),
            "c": encode_avro([{"city": "Oslo"}]),
        }
    )
    attempts: list[tuple[list[str], int | None]] = []

    def write_and_tell(partition: RawPartition) -> Written:
        attempts.append((partition.schema.names()[:-3], None))
        result = write(partition)
        attempts[-1] = (attempts[-1][0], result.frame.height)
        return result

    write_partition(dump_of(("a", "b", "c"), ["plan"], "clicks"), bucket.open_file, write_and_tell)
    assert attempts == [(["plan", "age"], None), (["plan", "age", "tier", "city"], 3)]
    assert bucket.open_now == set()


def test_a_column_that_only_the_first_file_names_costs_no_second_attempt() -> None:
    bucket = Bucket(
        {"a": encode_avro([{"plan": "pro", "age": 30}]), "b": encode_avro([{"age": 1}])}
    )
    write_partition(dump_of(("a", "b"), ["plan"], "clicks"), bucket.open_file, write)
    assert sorted(bucket.opened) == ["a", "b"]


def test_a_file_that_changes_between_two_attempts_is_told() -> None:
    bucket = Bucket({"a": encode_avro([{"plan": "pro"}]), "b": encode_avro([{"age": 30}])})

    def change_and_write(partition: RawPartition) -> Written:
        if "age" in partition.schema:
            bucket.files["b"] = encode_avro([{"tier": 1}])
        return write(partition)

    # The second attempt opens its files ahead, so what changes must be the opening itself.
    def open_file(path: str) -> BinaryIO:
        if bucket.opened.count("b") == 2:
            bucket.files["b"] = encode_avro([{"tier": 1}])
        return bucket.open_file(path)

    with pytest.raises(FileError, match="dump 7, table clicks: its files changed"):
        write_partition(dump_of(("a", "b"), ["plan"], "clicks"), open_file, change_and_write)
    assert bucket.open_now == set()


@pytest.mark.edge(35)
@pytest.mark.parametrize(
    ("table", "columns", "key"),
    [
        ("users", ["user_id"], "user_id"),
        ("sessions", ["user_id", "session_id"], "session_id"),
        ("sign_up", ["event_id", "user_id"], "event_id"),
    ],
)
@pytest.mark.parametrize("rows", [0, 2])
def test_a_file_without_a_column_of_the_key_is_told_even_without_rows(
    table: str, columns: list[str], key: str, rows: int
) -> None:
    whole = record(**dict.fromkeys(columns, "long"))
    lacking = record(**dict.fromkeys([one for one in columns if one != key] + ["x"], "long"))
    value = dict.fromkeys([*columns, "x"], 1)
    files = {"a": encode_avro([], whole), "b": encode_avro([value] * rows, lacking)}
    with pytest.raises(IdentifierError) as refused:
        written(files, columns, table)
    assert refused.value.where == {"dump": 7, "table": table, "file": "b", "column": key}


def test_a_table_without_a_key_needs_no_ids() -> None:
    assert written({"a": encode_avro([{"x": 1}])}, ["x"], "_event_metadata").totals.key_nulls == {}


@pytest.mark.parametrize("name", ["_dump_id", "_source_file", "_Source_Row", "_raw_user_id"])
@pytest.mark.parametrize("in_manifest", ["in the manifest", ""])
def test_a_column_named_like_one_of_ours_is_refused(name: str, in_manifest: str) -> None:
    files = {"a": encode_avro([], record(x="long", **{name: "long"}))}
    with pytest.raises(NameClashError) as refused:
        written(files, ["x", name] if in_manifest else ["x"])
    assert f'"{name}"' in refused.value.message
    place = {"dump": 7, "table": "clicks"}
    assert refused.value.where == (place if in_manifest else {**place, "file": "a"})
