"""Property definitions of dumps, into the lake."""

from typing import Any

import pytest

from csq_assets.errors import FileError
from csq_assets_tests.builders import encode_json
from csq_assets_tests.pipeline.passes import DEFINITIONS, Passes

ASK_AGAIN = "Ask Contentsquare to redeliver the dump, or replace the file in place."


@pytest.mark.edge(79)
@pytest.mark.parametrize("document", [{"plan": {"how": "größer"}}, [1, [2]], "text", 17])
def test_property_definitions_are_kept_as_delivered(passes: Passes, document: Any) -> None:
    passes.deliver(12, users=[{"user_id": 1}], property_definitions=document)
    assert passes.lake.store.scan(DEFINITIONS, 12).collect().to_dicts() == [
        {
            "document": encode_json(document).decode(),
            "_dump_id": 12,
            "_source_file": "s3://customer/sync_12/property_definitions.json",
            "_source_row": 0,
        }
    ]
    record = passes.record(12, DEFINITIONS)
    assert record.content is not None
    assert (record.content.rows, record.files, record.findings) == (1, 1, ())


@pytest.mark.edge(77)
@pytest.mark.parametrize("edit", [lambda _: None, lambda m: m.update(property_definitions=None)])
def test_a_dump_without_property_definitions_fails_nothing(passes: Passes, edit: Any) -> None:
    passes.deliver(12, users=[{"user_id": 1}], edit=edit)
    assert passes.partitions() == {("users", 12)}


@pytest.mark.edge(78)
def test_property_definitions_inside_a_table_are_found(passes: Passes) -> None:
    def move_inside(manifest: dict[str, Any]) -> None:
        path = manifest.pop("property_definitions")
        manifest["tables"][0]["property_definitions"] = path

    passes.deliver(12, users=[{"user_id": 1}], property_definitions={"a": 1}, edit=move_inside)
    assert passes.lake.store.scan(DEFINITIONS, 12).collect()["document"].to_list() == ['{"a": 1}']


def test_property_definitions_that_are_missing_or_no_json_fail_alone(passes: Passes) -> None:
    passes.builder.deliver(12, users=[{"user_id": 1}], property_definitions=b"{ no")
    users, definitions = passes.decode_all(12)
    path = "s3://customer/sync_12/property_definitions.json"
    assert users.error is None
    assert isinstance(definitions.error, FileError)
    assert str(definitions.error).startswith(
        f"dump 12, table property_definitions, file {path}: not JSON: "
    )
    passes.builder.delete("sync_12/property_definitions.json")
    assert str(passes.decode(12, DEFINITIONS).error) == (
        f"dump 12, table property_definitions, file {path}: there is no such file. {ASK_AGAIN}"
    )
    failure = passes.record(12, DEFINITIONS).failure
    assert failure is not None
    assert (failure.file, failure.file_state) == (path, "missing")
    assert passes.partitions() == {("users", 12)}
