"""Names that try to get out, in tables, columns, files and values: each stays a name."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from csq_assets.alerts.message import compose
from csq_assets.alerts.situation import Condition, News
from csq_assets.errors import FileError, printable
from csq_assets.lake.folders import folder_of
from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.hostile_names import CONTROL_CHARACTERS, HOSTILE_NAMES
from csq_assets_tests.platform import Platform
from csq_assets_tests.torture.shim import Hit, build_shim, operations


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


def written(counted: Path) -> set[Path]:
    """The files and folders that were made, changed or removed while the shim counted."""
    return {Path(one.partition(" ")[2]) for one in operations(counted)}


def _is_ours(path: Path, data: Path, tables: set[str]) -> bool:
    """Whether csq writes there: in the folder of a table, or elsewhere by names of its own."""
    if not path.is_relative_to(data):
        return path == Path("/dev/null")
    below = path.relative_to(data).parts
    if below[:2] == ("lake", "raw"):
        return below[2:3] == () or below[2] in tables
    return not {*below} & {*HOSTILE_NAMES, *tables}


@pytest.fixture
def counted() -> Iterator[Path]:
    """A folder for the shim, whose path has no blanks."""
    with TemporaryDirectory(prefix="shim-") as folder:
        yield Path(folder)


@pytest.mark.slow
def test_hostile_tables_stay_names(platform: Platform, counted: Path) -> None:
    tables: dict[str, list[AvroFile]] = {}
    for place, name in enumerate(HOSTILE_NAMES):
        key, rows = f"sync_12/{place}.avro", [{"user_id": place, "v": name}]
        platform.export.put(key, encode_avro(rows))
        tables[name] = [AvroFile(rows, written=False, listed_as=platform.export.path(key))]
    platform.deliver(12, tables=tables)
    shim = {**Hit((Path("/"),)).environment(counted), "LD_PRELOAD": str(build_shim(counted))}
    ran = platform.csq("sync", "--json", TMPDIR=str(counted), **shim)
    tables_of_lake = {folder_of(name) for name in HOSTILE_NAMES}
    data = platform.folder / "data"
    assert len(written(counted)) > 100
    assert [
        path
        for path in written(counted)
        if not path.is_relative_to(counted) and not _is_ours(path, data, tables_of_lake)
    ] == []
    applied = platform.relations() & set(HOSTILE_NAMES)
    said = "".join(ran.json()["errors"])
    assert {
        name for name in HOSTILE_NAMES if name not in applied and printable(name) not in said
    } == set()
    for name in applied:
        assert [row["v"] for row in platform.rows(name)] == [name]
    assert not CONTROL_CHARACTERS.search(ran.stdout + ran.stderr)
    assert "Traceback" not in ran.stderr
    assert_nothing_gets_out(platform)


def test_hostile_columns_and_values_stay_what_they_are(platform: Platform) -> None:
    names = list(dict.fromkeys(name.lower() for name in HOSTILE_NAMES))
    rows = [{"user_id": 1, **dict(zip(names, reversed(names), strict=True))}]
    platform.deliver(12, users=rows)
    assert platform.sync().exit_code in (0, 3)
    (found,) = platform.rows("users")
    assert {name: value for name, value in found.items() if name != "_dump_id"} == rows[0]
    platform.deliver(13, users=[{"user_id": 1}])  # every column is gone, which is told by its name
    assert platform.sync().exit_code == 3
    assert_nothing_gets_out(platform)


def assert_nothing_gets_out(platform: Platform) -> None:
    """Of what the commands say that tell of a lake: on the terminal, as JSON, as a page."""
    for command in ("status", "status --json", "doctor", "report --out -"):
        ran = platform.csq(*command.split())
        assert not CONTROL_CHARACTERS.search(ran.stdout + ran.stderr)
        assert "Traceback" not in ran.stderr
    elements = Elements(ran.stdout)
    assert "svg" in elements.found
    assert not elements.found & {"script", "img", "iframe", "object", "base"}
    assert not {name for name in elements.attributes if name.startswith("on")}


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
    assert_nothing_gets_out(platform)


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_names_are_printable_in_alerts(name: str) -> None:
    said = str(FileError("it is damaged", where={"dump": 12, "table": name}))
    gone = Condition(f'table "{name}" again', said, "assets/x")
    news = News(begun=(Condition(f"table {name}", said, "assets/x"),), over=(gone,), tables=(name,))
    assert not CONTROL_CHARACTERS.search(compose(news, "s3://acme", "https://ui.example.com").body)
