"""Names that try to get out, in tables, columns, files and values: each stays a name."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from csq_assets.alerts.message import compose
from csq_assets.alerts.situation import Condition, News
from csq_assets.errors import FileError, printable
from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.hostile_names import CONTROL_CHARACTERS, HOSTILE_NAMES
from csq_assets_tests.platform import Platform


class Elements(HTMLParser):
    """The elements of a page, and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.add(tag)
        self.attributes |= {name for name, _ in attrs}


def files_outside(folder: Path) -> set[str]:
    """What is not below the folder for data."""
    found = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    return {one for one in found if not one.startswith("home/data")}


@pytest.mark.slow
def test_hostile_tables_stay_names(platform: Platform, tmp_path: Path) -> None:
    tables: dict[str, list[AvroFile]] = {}
    for place, name in enumerate(HOSTILE_NAMES):
        key, rows = f"sync_12/{place}.avro", [{"user_id": place, "v": name}]
        platform.export.put(key, encode_avro(rows))
        tables[name] = [AvroFile(rows, written=False, listed_as=platform.export.path(key))]
    platform.deliver(12, tables=tables)
    outside = files_outside(tmp_path)
    ran = platform.csq("sync", "--json")
    status, page = platform.csq("status"), platform.csq("report")

    assert files_outside(tmp_path) == outside | {"home/csq-report.html"}
    applied = platform.relations() & set(HOSTILE_NAMES)
    said = "".join(ran.json()["errors"])
    assert {
        name for name in HOSTILE_NAMES if name not in applied and printable(name) not in said
    } == set()
    for name in applied:
        assert [row["v"] for row in platform.rows(name)] == [name]
    for one in (ran, status, page):
        assert not CONTROL_CHARACTERS.search(one.stderr)
        assert "Traceback" not in one.stderr
    assert page.code == 0
    html = (platform.folder / "csq-report.html").read_text()
    elements = Elements(html)
    assert "svg" in elements.found
    assert not elements.found & {"script", "img", "iframe", "object", "base"}
    assert not {name for name in elements.attributes if name.startswith("on")}
    assert not CONTROL_CHARACTERS.search(html)


def test_hostile_columns_and_values_stay_what_they_are(platform: Platform) -> None:
    names = list(dict.fromkeys(name.lower() for name in HOSTILE_NAMES))
    rows = [{"user_id": 1, **dict(zip(names, reversed(names), strict=True))}]
    platform.deliver(12, users=rows)
    assert platform.sync().exit_code in (0, 3)
    (found,) = platform.rows("users")
    assert {name: value for name, value in found.items() if name != "_dump_id"} == rows[0]


def test_hostile_files_are_read_by_their_names_or_refused(
    platform: Platform, tmp_path: Path
) -> None:
    (tmp_path / "secret.avro").write_bytes(b"Obj\x01")
    paths = [f"s3://customer/{name}" for name in HOSTILE_NAMES]
    files = [AvroFile(written=False, listed_as=path) for path in paths]
    tables = {f"t{place}": [file] for place, file in enumerate(files)}
    platform.deliver(12, tables=tables, columns={name: ["user_id"] for name in tables})
    summary = platform.sync()
    assert summary.exit_code == 1
    (dump,) = summary.dumps
    assert [table.status for table in dump.tables] == ["failed"] * len(paths)
    for table in dump.tables:
        assert not CONTROL_CHARACTERS.search(table.error or "")
        assert re.search("no such file|nothing is read from|File name too long", table.error or "")


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_printable_in_alerts(name: str) -> None:
    said = str(FileError("it is damaged", where={"dump": 12, "table": name}))
    gone = Condition(f'table "{name}" again', said, "assets/x")
    news = News(begun=(Condition(f"table {name}", said, "assets/x"),), over=(gone,), tables=(name,))
    assert not CONTROL_CHARACTERS.search(compose(news, "s3://acme", "https://ui.example.com").body)
