"""docs/current-tables.md is right: its deliveries are delivered, and its results compared."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from csq_assets_tests import model
from csq_assets_tests.model import IDS, Delivered, Relation
from csq_assets_tests.warehouse.deliveries import Platform, relation

PAGE = Path(__file__).parents[2] / "docs" / "current-tables.md"
TABLE = re.compile(
    r"^\*\*`(?P<name>[a-z_.]+)` (?P<when>of|after) dump (?P<dump>[0-9]+)"
    r"(?P<full>, full resync)?\*\*\n\n"
    r"(?P<lines>(?:\|.*\n)+)",
    re.MULTILINE,
)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def value(column: str, cell: str) -> Any:
    numbers = (*IDS, "_raw_user_id", "_dump_id")
    if not cell:
        return None
    return int(cell) if column in numbers else cell


def read_table(lines: str) -> tuple[tuple[str, ...], list[list[Any]]]:
    header, _, *rows = lines.splitlines()
    columns = tuple(cells(header))
    return columns, [
        [value(column, cell) for column, cell in zip(columns, cells(row), strict=True)]
        for row in rows
    ]


def test_the_page_says_what_happens(platform: Platform) -> None:
    listed: dict[int, dict[str, Delivered]] = {}
    expected: dict[int, dict[str, Relation]] = {}
    for match in TABLE.finditer(PAGE.read_text("utf-8")):
        name, dump_id = match["name"], int(match["dump"])
        if match["when"] == "of":
            columns, rows = read_table(match["lines"])
            as_rows = tuple(dict(zip(columns, row, strict=True)) for row in rows)
            table = Delivered(columns, as_rows, incremental=not match["full"])
            listed.setdefault(dump_id, {})[name] = table
        else:
            columns, rows = read_table(match["lines"])
            if name == "csq_meta.user_identity":
                rows = [[int(cell) for cell in row] for row in rows]
            found = Relation(columns, Counter(map(tuple, rows)))
            expected.setdefault(dump_id, {})[name] = found
    assert list(listed) == [100, 101, 102]
    assert [len(tables) for tables in expected.values()] == [3, 2]
    for dump_id, tables in listed.items():
        platform.deliver(dump_id, tables).sync()
        for name, shown in expected.get(dump_id, {}).items():
            schema, _, table = name.partition(".")
            assert relation(platform.connection, table, schema) == shown
            if schema == "csq":
                assert model.current_tables(platform.deliveries)[table] == shown
