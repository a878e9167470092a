"""Property definitions are kept, not read."""

import pytest

from csq_assets.dataconnect.property_definitions import read_property_definitions
from csq_assets.errors import FileError

PATH = "s3://customer/sync_12/property_definitions.json"


@pytest.mark.edge(79)
@pytest.mark.parametrize(
    "document",
    [
        '{"plan": {"how": "they pay"}}',
        '[{"b": 1, "a": 2},   {"b": 1, "b": 1}]\n',
        '"größer"',
        "null",
        "17.50",
    ],
)
def test_json_of_any_shape_is_kept_byte_for_byte(document: str) -> None:
    frame = read_property_definitions(12, PATH, document.encode())
    assert frame.to_dicts() == [
        {"document": document, "_dump_id": 12, "_source_file": PATH, "_source_row": 0}
    ]
    assert [str(kind) for kind in frame.dtypes] == ["String", "Int64", "String", "Int64"]


@pytest.mark.parametrize("body", [b"", b'{"plan": ', b"[" * 100_000])
def test_what_is_no_json_is_refused_by_its_path(body: bytes) -> None:
    with pytest.raises(FileError) as refused:
        read_property_definitions(12, PATH, body)
    assert refused.value.where == {"file": PATH}
    assert str(refused.value).startswith(f"file {PATH}: not JSON: ")


def test_bytes_that_are_not_utf_8_are_refused_by_their_path() -> None:
    with pytest.raises(FileError, match=f"file {PATH}: not UTF-8: "):
        read_property_definitions(12, PATH, b"\xff")


def test_a_byte_order_mark_is_left_out() -> None:
    frame = read_property_definitions(12, PATH, b"\xef\xbb\xbf[1]")
    assert frame["document"].to_list() == ["[1]"]
