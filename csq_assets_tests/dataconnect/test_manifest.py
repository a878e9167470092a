"""Manifests: what is read of them, and what is refused at the door."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csq_assets.dataconnect.manifest import MAX_DUMP_ID, Manifest, TableDump, parse_manifest
from csq_assets.dataconnect.sync_report import parse_sync_report
from csq_assets.errors import DeliveryError, ManifestError

PATHS = ("s3://customer/sync_12/users/b.avro", "s3://customer/sync_12/users/a.avro")
USERS = {"name": "users", "incremental": True, "columns": ["user_id", "plan"], "files": [*PATHS]}


def parse(document: Any) -> Manifest:
    return parse_manifest(json.dumps(document, ensure_ascii=False).encode())


def parse_with(**fields: Any) -> Manifest:
    """A valid manifest of one table, but for the fields given."""
    return parse({"dump_id": 12, "tables": [USERS], **fields})


def parse_table(**fields: Any) -> Manifest:
    return parse_with(tables=[{**USERS, **fields}])


def refusal(body: bytes) -> str:
    with pytest.raises(ManifestError) as refused:
        parse_manifest(body)
    return str(refused.value)


def refusal_of(document: Any) -> str:
    return refusal(json.dumps(document).encode())


def test_a_manifest_lists_tables_with_columns_and_files_in_its_order() -> None:
    migrations = {
        "name": "user_migrations",
        "incremental": False,
        "columns": ["from_user_id", "to_user_id", "time"],
        "files": [],
    }
    definitions = "s3://customer/sync_12/property_definitions.json"

    manifest = parse_with(tables=[USERS, migrations], property_definitions=definitions)

    users = TableDump(
        dump_id=12, table="users", incremental=True, columns=("user_id", "plan"), files=PATHS
    )
    complete = TableDump(
        dump_id=12,
        table="user_migrations",
        incremental=False,
        columns=("from_user_id", "to_user_id", "time"),
        files=(),
    )
    assert manifest == Manifest(12, (users, complete), definitions)
    assert (users.incremental, complete.incremental) == (True, False)
    assert manifest.table("user_migrations") == complete


@pytest.mark.edge(14)
def test_a_table_that_is_not_listed_is_not_there() -> None:
    assert parse_with().table("users") == parse_with().tables[0]
    assert parse_with().table("sessions") is None
    assert parse_with().table("Users") is None


@pytest.mark.edge(6, 7)
def test_the_same_content_is_equal_and_other_content_is_not() -> None:
    assert parse_with() == parse_with()
    assert parse_with() != parse_table(incremental=False)
    assert parse_with() != parse_table(files=[*reversed(PATHS)])


@pytest.mark.edge(8)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON: EOF while parsing a value at line 1 column 0"),
        (
            b'{"dump_id": 12, "tables": [',
            "not JSON: EOF while parsing a list at line 1 column 27",
        ),
        (
            b'{"dump_id": 12, // the dump\n "tables": []}',
            "not JSON: key must be a string at line 1 column 17",
        ),
        (b'{"dump_id": 12, "tables": []} {}', "not JSON: trailing characters at line 1 column 31"),
        (
            b'{"dump_id": "\xff"}',
            "not JSON: invalid unicode code point at line 1 column 14",
        ),
    ],
    ids=["empty", "truncated", "comment", "two", "latin"],
)
def test_what_is_not_json_is_refused(body: bytes, said: str) -> None:
    assert refusal(body) == said


@pytest.mark.edge(8)
@pytest.mark.parametrize("shape", ["%s", '{"dump_id": %s}', '{"dump_id": 1, "tables": [%s]}'])
def test_no_depth_of_nesting_gets_past_the_refusal(shape: str) -> None:
    said = {
        refusal((shape % ("[" * depth + "]" * depth)).encode())
        for depth in (*range(1, 9), *range(190, 210), 100_000)
    }
    kinds = {re.sub(r"not \[+\]*(\.\.\.)?$|at line.*", "", text).strip() for text in said}
    assert kinds in (
        {"field the document: must be an object,", "not JSON: recursion limit exceeded"},
        {"field dump_id: must be a valid integer,", "not JSON: recursion limit exceeded"},
        {"field tables[0]: must be an object,", "not JSON: recursion limit exceeded"},
    )


@pytest.mark.edge(9)
def test_unknown_keys_are_ignored() -> None:
    assert parse_with(version={"major": 2}, date=None) == parse_with()
    assert parse_table(row_count=7, name_shown="Users") == parse_with()


@pytest.mark.edge(10)
@pytest.mark.parametrize(
    ("dump_id", "said"),
    [
        ("1234", 'must be a valid integer, not "1234"'),
        (12.5, "must be a valid integer, not 12.5"),
        (12.0, "must be a valid integer, not 12.0"),
        (True, "must be a valid integer, not true"),
        (None, "must be a valid integer, not null"),
        (-1, "must be greater than or equal to 0, not -1"),
        (2**63, "must be less than or equal to 9223372036854775807, not 9223372036854775808"),
        ([12], "must be a valid integer, not [12]"),
        ({}, "must be a valid integer, not {}"),
        ("x" * 60, f'must be a valid integer, not "{"x" * 36}...'),
    ],
)
def test_a_dump_id_that_is_no_integer_in_range_is_refused(dump_id: Any, said: str) -> None:
    assert refusal_of({"dump_id": dump_id, "tables": [USERS]}) == f"field dump_id: {said}"


@pytest.mark.edge(10)
def test_a_missing_dump_id_is_refused() -> None:
    assert refusal_of({"tables": []}) == "field dump_id: field required"


@pytest.mark.edge(10)
@pytest.mark.parametrize("dump_id", [0, 9, 852, 1_008_461_850, MAX_DUMP_ID])
def test_dump_ids_are_numbers_of_any_size(dump_id: int) -> None:
    manifest = parse_with(dump_id=dump_id)
    assert (manifest.dump_id, manifest.tables[0].dump_id) == (dump_id, dump_id)


@pytest.mark.edge(12)
def test_a_table_listed_twice_makes_the_manifest_invalid() -> None:
    assert refusal_of({"dump_id": 12, "tables": [USERS, {**USERS, "files": []}]}) == (
        'field tables: table "users" is listed twice'
    )


@pytest.mark.edge(13)
def test_a_dump_may_touch_no_table() -> None:
    assert parse_with(tables=[]) == Manifest(12, ())


@pytest.mark.edge(15, 16)
@pytest.mark.parametrize("incremental", [True, False])
def test_a_table_may_have_no_files(*, incremental: bool) -> None:
    manifest = parse_table(files=[], columns=[], incremental=incremental)
    assert manifest.tables == (
        TableDump(dump_id=12, table="users", incremental=incremental, columns=(), files=()),
    )


def test_null_for_a_list_is_the_empty_list() -> None:
    assert parse_with(tables=None) == parse_with(tables=[])
    assert parse_table(files=None) == parse_table(files=[])
    assert parse_table(columns=None) == parse_table(columns=[])


def test_a_manifest_of_more_than_64_mib_is_refused_unread() -> None:
    body = b'{"dump_id": 12, "tables": []}'
    most = 64 * 1024 * 1024
    assert parse_manifest(body.ljust(most)) == Manifest(12, ())
    assert refusal(body.ljust(most + 1)) == "it has 67,108,865 bytes; the most is 67,108,864"


@pytest.mark.parametrize("read", [parse_manifest, parse_sync_report])
def test_a_document_of_millions_of_values_is_refused_unread(
    read: Callable[[bytes], object],
) -> None:
    body = json.dumps({"dump_id": 12, "tables": [], "more": [0] * 999_999}).encode()
    read(body)
    with pytest.raises(DeliveryError) as refused:
        read(body.replace(b"[0,", b"[0,0,"))
    assert str(refused.value) == "it has 1,000,001 commas; the most is 1,000,000"


def test_of_many_wrong_values_the_first_is_told() -> None:
    tables = [{**USERS, "files": [1, 2]}, 4]
    said = "field tables[0].files[0]: must be a valid string, not 1"
    assert refusal_of({"dump_id": 12, "tables": tables}) == said


@pytest.mark.edge(17, 22)
def test_a_path_counts_once_where_it_is_first_listed_and_nothing_is_sorted() -> None:
    files = ["s3://c/10.avro", "s3://c/9.avro", "s3://c/10.avro", "s3://c/1.avro"]
    manifest = parse_table(files=files, columns=["plan", "user_id", "plan"])
    assert manifest.tables[0].files == ("s3://c/10.avro", "s3://c/9.avro", "s3://c/1.avro")
    assert manifest.tables[0].columns == ("plan", "user_id")


@pytest.mark.edge(20)
def test_paths_stay_as_they_are() -> None:
    files = ["s3://c/a b+c%20d=e/é/../x.avro", "s3://c/e\u0301.avro", "s3://c/\u00e9.avro"]
    assert parse_table(files=files).tables[0].files == tuple(files)


@pytest.mark.edge(21)
def test_a_table_may_have_12000_files() -> None:
    files = [f"s3://customer/sync_12/users/part-{index:05}.avro" for index in range(12_000)]
    assert parse_table(files=files).tables[0].files == tuple(files)


@pytest.mark.edge(66, 67)
def test_column_names_stay_as_they_are() -> None:
    columns = ["Plan", "plan", "order", "_email", "first seen", 'the "best"', "x" * 90, ""]
    assert parse_table(columns=columns).tables[0].columns == tuple(columns)


@pytest.mark.edge(77)
@pytest.mark.parametrize(
    "fields", [{}, {"property_definitions": None}, {"property_definitions": ""}]
)
def test_a_dump_may_have_no_definitions(fields: dict[str, Any]) -> None:
    assert parse_with(**fields).property_definitions is None
    assert parse_table(**fields).property_definitions is None


@pytest.mark.edge(78)
def test_definitions_may_be_named_inside_a_table_but_the_top_level_counts_first() -> None:
    inside = [USERS, {**USERS, "name": "sessions", "property_definitions": "s3://c/inside.json"}]
    found = {
        "inside": parse_with(tables=inside).property_definitions,
        "null on top": parse_with(tables=inside, property_definitions=None).property_definitions,
        "both": parse_with(
            tables=inside, property_definitions="s3://c/t.json"
        ).property_definitions,
    }
    assert found == {
        "inside": "s3://c/inside.json",
        "null on top": "s3://c/inside.json",
        "both": "s3://c/t.json",
    }


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "field the document: must be an object, not []"),
        (None, "field the document: must be an object, not null"),
        ({"dump_id": 1}, "field tables: field required"),
        ({"dump_id": 1, "tables": {}}, "field tables: must be a valid array, not {}"),
        ({"dump_id": 1, "tables": ["users"]}, 'field tables[0]: must be an object, not "users"'),
        (
            {"dump_id": 1, "tables": [], "property_definitions": 5},
            "field property_definitions: must be a valid string, not 5",
        ),
    ],
)
def test_a_document_of_another_shape_is_refused(document: Any, said: str) -> None:
    assert refusal_of(document) == said


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", None, "name: must be a valid string, not null"),
        ("name", 7, "name: must be a valid string, not 7"),
        ("name", "", 'name: string should have at least 1 character, not ""'),
        ("incremental", None, "incremental: must be a valid boolean, not null"),
        ("incremental", "true", 'incremental: must be a valid boolean, not "true"'),
        ("incremental", 1, "incremental: must be a valid boolean, not 1"),
        ("columns", "a", 'columns: must be a valid array, not "a"'),
        ("columns", ["a", None], "columns[1]: must be a valid string, not null"),
        ("files", "s3://c/x", 'files: must be a valid array, not "s3://c/x"'),
        ("files", [["s3://c/x"]], 'files[0]: must be a valid string, not ["s3://c/x"]'),
        ("property_definitions", {}, "property_definitions: must be a valid string, not {}"),
    ],
)
def test_a_table_of_another_shape_is_refused(field: str, value: Any, said: str) -> None:
    document = {"dump_id": 12, "tables": [USERS, {**USERS, "name": "sessions", field: value}]}
    assert refusal_of(document) == f"field tables[1].{said}"


@pytest.mark.parametrize("field", ["name", "columns", "files"])
def test_half_a_surrogate_pair_is_refused(field: str) -> None:
    value = "a\ud800" if field == "name" else ["a\ud800"]
    assert refusal_of({"dump_id": 12, "tables": [{**USERS, field: value}]}).startswith("not JSON: ")


@pytest.mark.parametrize("missing", ["name", "incremental", "columns", "files"])
def test_every_field_of_a_table_is_needed(missing: str) -> None:
    table = {name: value for name, value in USERS.items() if name != missing}
    assert refusal_of({"dump_id": 12, "tables": [table]}) == (
        f"field tables[0].{missing}: field required"
    )


NAMES = st.text(st.characters(codec="utf-8"), min_size=1)
ENTRIES = st.fixed_dictionaries(
    {
        "name": NAMES,
        "incremental": st.booleans(),
        "columns": st.lists(NAMES, unique=True),
        "files": st.lists(NAMES, unique=True),
    }
)


@given(
    dump_id=st.integers(0, MAX_DUMP_ID),
    tables=st.lists(ENTRIES, unique_by=lambda entry: entry["name"]),
    definitions=st.none() | NAMES,
)
def test_what_a_valid_manifest_says_is_what_is_read(
    dump_id: int, tables: list[dict[str, Any]], definitions: str | None
) -> None:
    document = {"dump_id": dump_id, "tables": tables, "property_definitions": definitions}
    assert parse(document) == Manifest(
        dump_id,
        tuple(
            TableDump(
                dump_id=dump_id,
                table=entry["name"],
                incremental=entry["incremental"],
                columns=tuple(entry["columns"]),
                files=tuple(entry["files"]),
            )
            for entry in tables
        ),
        definitions,
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@given(
    body=st.binary()
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {"dump_id": JSON, "tables": st.lists(st.dictionaries(st.sampled_from([*USERS]), JSON))}
    ).map(lambda document: json.dumps(document).encode())
)
def test_nothing_but_a_refusal_or_a_manifest_comes_out(body: bytes) -> None:
    try:
        manifest = parse_manifest(body)
    except ManifestError as error:
        assert "field" in error.where or error.message.startswith("not ")  # noqa: PT017
    else:
        assert 0 <= manifest.dump_id <= MAX_DUMP_ID
        assert len({dump.table for dump in manifest.tables}) == len(manifest.tables)


def test_a_byte_order_mark_does_no_harm() -> None:
    body = b"\xef\xbb\xbf" + json.dumps({"dump_id": 12, "tables": []}).encode()
    assert parse_manifest(body) == Manifest(12, ())
