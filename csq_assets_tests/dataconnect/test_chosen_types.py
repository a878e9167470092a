"""The file of chosen types: what it may say, and how it is told what is wrong."""

import pytest

from csq_assets.dataconnect.chosen_types import parse_chosen_types
from csq_assets.dataconnect.column_types import ColumnType
from csq_assets.errors import SettingsError


def test_types_are_chosen_by_table_and_column() -> None:
    text = """
    [purchase]
    price = "double"
    "a b" = "VARCHAR"

    ['odd "name"; --']
    at = "Timestamp"

    [empty]
    """
    assert parse_chosen_types(text, "types.toml").pins == {
        "purchase": {"price": ColumnType.DOUBLE, "a b": ColumnType.VARCHAR},
        'odd "name"; --': {"at": ColumnType.TIMESTAMP},
    }


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('[a]\nx = "DATE"\ny = "INT"\n', 3, '\'INT\' of column "y" of table "a" is not a type'),
        ('[a]\nx = [\n  "DATE",\n]\n', 4, '[\'DATE\'] of column "x" of table "a" is not a type'),
        ('[a]\nx = "DATE"\n\n[b]\nx = 3', 5, '3 of column "x" of table "b" is not a type'),
        ('[a]\n\nuser_id = "BIGINT"\n', 3, '"user_id" of table "a" is always BIGINT'),
        ('\nprice = "DOUBLE"\n', 2, '"price" is in no table'),
        ('[a]\nx = "DATE\n', 2, "it is not TOML: "),
        ("[a]\nx =", 2, "it is not TOML: "),
        ('[a]\nx = "DATE"\nx = "DATE"\n', 3, "it is not TOML: "),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_chosen_types(text, "types.toml")
    assert refused.value.where == {"setting": "CSQ_TYPES", "file": "types.toml", "line": line}
    assert refused.value.message.startswith(message)


def test_a_table_that_nobody_knows_is_told_with_its_line() -> None:
    chosen = parse_chosen_types('[users]\nx = "DATE"\n[b]\nx = "DATE"\n["c"]\nx = "DATE"\n', "f")
    chosen.refuse_unknown(["b", "c"])
    with pytest.raises(
        SettingsError, match=r'^setting CSQ_TYPES, file f, line 5: there is no table "c"'
    ):
        chosen.refuse_unknown(["b"])
