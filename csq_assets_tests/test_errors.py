"""How an error reads."""

import pytest

from csq_assets.errors import FileError, StorageError, lack_of_memory_told, printable


def test_an_error_is_its_place_its_message_and_its_remedy() -> None:
    error = FileError("it is damaged", where={"file": "a.avro"}, remedy="Deliver it again.")
    assert str(error.at(dump=12)) == "dump 12, file a.avro: it is damaged. Deliver it again."


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x07\x9b", "\\x1b[31mred\\x07\\x9b"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("right\u202eleft\u2066\u200f\u2028", "right\\u202eleft\\u2066\\u200f\\u2028"),
        ("half \ud83d", "half \\ud83d"),
        ("größe 購入\u3000😀 \u200c", "größe 購入\u3000😀 \u200c"),
    ],
)
def test_control_characters_are_shown_as_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert str(FileError(text, where={"file": text})) == f"file {shown}: {shown}"


def test_the_middle_of_a_long_text_is_left_out() -> None:
    name = "a" * 1_000 + "b" * 1_000
    error = FileError(f"{name * 2}", where={"file": name})
    assert str(error) == f"file {'a' * 150}…{'b' * 150}: {name[:1_000]}…{name[-1_000:]}"
    assert printable("x" * 2_000) == "x" * 2_000


def test_lack_of_memory_is_told_and_other_faults_stay_themselves() -> None:
    for lacking in (MemoryError(), RuntimeError("can't start new thread")):
        with pytest.raises(StorageError, match="more memory than there is"), lack_of_memory_told():
            raise lacking
    with pytest.raises(RuntimeError, match="a bug"), lack_of_memory_told():
        raise RuntimeError("a bug")
