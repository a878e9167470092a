"""Plain Parquet: a list of files that is one version of the table."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from csq_assets.publish.open import folder_of
from csq_assets_tests.platform import REPOSITORY
from csq_assets_tests.publish.published import Publisher
from csq_assets_tests.warehouse.deliveries import delivered

EVENTS = "user_id event_id page"


@pytest.fixture
def folder(parquet: Publisher) -> Path:
    return Path(folder_of(parquet.settings)) / "pageviews"


def paths(folder: Path) -> list[str]:
    return (folder / "_symlink_format_manifest" / "manifest").read_text().splitlines()


def test_both_manifests_name_the_files_of_one_version(parquet: Publisher, folder: Path) -> None:
    parquet.platform.deliver(7, pageviews=delivered(EVENTS, (1, 1, "/"), (3, 1, "/")))
    parquet.sync("pageviews")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [f"{folder}/{file['path']}" for file in manifest["files"]] == paths(folder)
    assert all(
        Path(folder, file["path"]).stat().st_size == file["size_bytes"]
        for file in manifest["files"]
    )
    assert (manifest["table"], manifest["dump_id"]) == ("pageviews", 7)
    assert manifest["columns"] == {
        "user_id": "BIGINT",
        "event_id": "BIGINT",
        "page": "VARCHAR",
        "_raw_user_id": "BIGINT",
        "_dump_id": "BIGINT",
    }


def test_duckdb_reads_it_as_the_page_says(parquet: Publisher, folder: Path) -> None:
    page = (REPOSITORY / "docs" / "publishing.md").read_text()
    query = page.partition("-- DuckDB\n")[2].partition("```")[0]
    for dump_id, rows in ((1, [(1, 1, "/"), (3, 1, "/")]), (2, [(5, 1, "/")])):
        parquet.platform.deliver(dump_id, pageviews=delivered(EVENTS, *rows))
        parquet.sync("pageviews")
    with duckdb.connect() as connection:
        connection.execute(query.replace("/srv/tables/parquet/users", str(folder)))
        assert connection.fetchall() == [(3,)]


def test_a_reader_has_a_day_for_the_files_of_a_version(parquet: Publisher, folder: Path) -> None:
    seen: list[list[str]] = []
    for dump_id in (1, 2, 3):
        row = (1, 1, f"/{dump_id}")
        parquet.platform.deliver(dump_id, pageviews=delivered(EVENTS, row))
        parquet.sync("pageviews")
        seen.append(paths(folder))
        if dump_id == 2:
            age(folder, timedelta(days=2))
    assert [Path(path).exists() for version in seen for path in version] == [False, True, True]


def test_a_killed_publication_leaves_files_for_a_day(parquet: Publisher, folder: Path) -> None:
    stray = folder / "data" / "stray.parquet"
    for dump_id in (1, 2, 3):
        parquet.platform.deliver(dump_id, pageviews=delivered(EVENTS, (1, dump_id, "/")))
        parquet.sync("pageviews")
        assert stray.exists() == (dump_id == 2)
        stray.touch()
        if dump_id == 2:
            then = (datetime.now(UTC) - timedelta(days=2)).timestamp()
            os.utime(stray, (then, then))
    assert parquet.published("pageviews") == parquet.expected("pageviews")


def test_other_columns_are_in_every_file(parquet: Publisher) -> None:
    parquet.platform.deliver(1, pageviews=delivered(EVENTS, (1, 1, "/"), (3, 1, "/")))
    parquet.sync("pageviews")
    parquet.platform.deliver(2, pageviews=delivered(f"{EVENTS} new"))
    assert parquet.sync("pageviews") == [(2, 2)]
    assert parquet.published("pageviews") == parquet.expected("pageviews")


def test_a_damaged_manifest_is_replaced(parquet: Publisher, folder: Path) -> None:
    parquet.platform.deliver(1, pageviews=delivered(EVENTS, (1, 1, "/")))
    parquet.sync("pageviews")
    (folder / "manifest.json").write_text("{")
    assert parquet.sync("pageviews") == [(1, 1)]
    assert parquet.published("pageviews") == parquet.expected("pageviews")


def age(folder: Path, by: timedelta) -> None:
    """Let everything in the folder have happened earlier."""
    manifest = folder / "manifest.json"
    document = json.loads(manifest.read_text())
    document["retired"] = {
        path: (datetime.fromisoformat(at) - by).isoformat()
        for path, at in document["retired"].items()
    }
    manifest.write_text(json.dumps(document))
    for file in (folder / "data").iterdir():
        then = file.stat().st_mtime - by.total_seconds()
        os.utime(file, (then, then))
