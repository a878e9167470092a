"""Each numbered edge case of docs/export-format.md has a test that says so."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs" / "export-format.md"
MARK = re.compile(r"pytest\.mark\.edge\(([\d,\s]+)\)")


def test_every_edge_case_has_a_test() -> None:
    section = DOCUMENT.read_text().partition("Edge cases")[2]
    numbered = {int(number) for number in re.findall(r"^(\d+)\. ", section, re.MULTILINE)}
    assert numbered == set(range(1, 80))
    marked = {
        int(number)
        for file in TESTS.rglob("test_*.py")
        for marks in MARK.findall(file.read_text())
        for number in marks.split(",")
        if number.strip()
    }
    assert sorted(numbered - marked) == []
