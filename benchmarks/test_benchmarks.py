"""The benchmarks run, measure what they say, and tell of it; how fast anything is, nobody asserts."""

from datetime import date
from pathlib import Path
from typing import Any

import cramjam
import duckdb
import fastavro
import pytest
from click.testing import CliRunner

import benchmarks.__main__ as command
from benchmarks.catalog import case_names, find_case
from benchmarks.contents import Contents, require_same
from benchmarks.document import tables, with_tables
from benchmarks.generate import deliver, write_files
from benchmarks.home import Home
from benchmarks.made_up import made_rows
from benchmarks.measure import FailedError, Measured, Spread
from benchmarks.record import Machine, Recorded, read_records, write_record
from benchmarks.results import Goal, Result
from csq_assets.avro.container import Block, Container
from csq_assets.dataconnect.manifest import TableDump, parse_manifest

TABLES = ("users", "sessions", "pageviews", "user_migrations", "wide", "signup")
MACHINE = Machine("a processor", 2, 24, "3.11.9", {"polars": "2.1.0"})


@pytest.mark.parametrize("table", TABLES)
def test_files_hold_the_rows_that_were_made_up(tmp_path: Path, table: str) -> None:
    files = write_files(tmp_path, table, rows=1_000, files=3, seed=7)
    assert [row for file in files for row in read_rows(file)] == made_rows(
        table, 0, 1_000, seed=7
    ).to_dicts()


def test_files_are_cut_into_blocks_of_64_kb(tmp_path: Path) -> None:
    (file,) = write_files(tmp_path, "pageviews", rows=1_000, files=1)
    with file.open("rb") as opened:
        blocks = [(block.rows, plain_bytes(block)) for block in Container(opened).blocks()]
    assert [rows for rows, _ in blocks] == [200] * 5
    assert all(50_000 < size < 80_000 for _, size in blocks)


def test_one_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    def written(folder: str, seed: int) -> list[bytes]:
        files = write_files(tmp_path / folder, "pageviews", rows=300, files=2, seed=seed)
        return [file.read_bytes() for file in files]

    assert written("first", seed=1) == written("again", seed=1)
    assert written("first", seed=1) != written("other", seed=2)


def test_rows_are_the_same_however_they_are_sliced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = write_files(tmp_path / "whole", "pageviews", rows=2_000, files=1)
    monkeypatch.setattr("benchmarks.generate._SLICE_BYTES", 320 * 200)
    sliced = write_files(tmp_path / "sliced", "pageviews", rows=2_000, files=1)
    assert whole[0].read_bytes() == sliced[0].read_bytes()


def test_a_dump_without_rows_is_delivered_with_a_file(tmp_path: Path) -> None:
    manifest = parse_manifest(deliver(tmp_path, 12, {"signup": 0}).read_bytes())
    assert manifest.table("signup") == TableDump(
        dump_id=12,
        table="signup",
        incremental=True,
        columns=tuple(made_rows("signup", 0, 0, seed=1).columns),
        files=("s3://customer/sync_12/signup/part-00000-c000.avro",),
    )
    assert read_rows(tmp_path / "sync_12" / "signup" / "part-00000-c000.avro") == []


def test_every_case_is_called_what_its_module_is_called() -> None:
    assert [find_case(name).name for name in case_names()] == case_names()


@pytest.mark.parametrize(
    ("arguments", "goals"),
    [
        (("decode", "--rows", "200", "--rounds", "1"), ["≥ 10 ×", "≤ 2.2 ×", "≥ 1.8 ×"]),
        (("small_files", "--small-files", "2", "--rounds", "1"), ["≤ 1 ms"]),
        (("memory", "--memory-rows", "300"), ["≤ 600 MB"]),
        (("current", "--history", "20000", "--rounds", "1"), ["≥ 10 ×", "≤ 1.5 ×"]),
        pytest.param(
            ("sync", "--sync-rows", "300", "--sync-rows", "600", "--rounds", "1"),
            ["≤ 1.15 ×", "≤ 1,024 MB"],
            marks=pytest.mark.slow,
        ),
        (("profile", "--rows", "200", "--rounds", "1"), ["CPU of csq sync: DuckDB"]),
        pytest.param(("year", "--dumps", "4"), ["≤ 1.5 ×", "≤ 1.2 ×"], marks=pytest.mark.slow),
        pytest.param(
            ("many_dumps", "--dumps", "2"), ["≤ 0.15 s", "≤ 1.3 ×"], marks=pytest.mark.slow
        ),
        pytest.param(("start", "--rounds", "1"), ["≤ 1.5 ×", "≤ 0.25 s"], marks=pytest.mark.slow),
    ],
)
def test_a_case_tells_its_goals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], goals: list[str]
) -> None:
    monkeypatch.setattr(command, "_FOLDER", tmp_path)
    monkeypatch.setattr("benchmarks.cases.many_dumps._WIDE", 3)
    ran = CliRunner().invoke(command.main, [*arguments, "--no-peers"])
    assert (ran.exit_code, ran.exception) == (0, None)
    assert [goal for goal in goals if goal not in ran.output] == []
    assert list(tmp_path.iterdir()) == []


def test_a_case_that_fails_is_told_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        name, title = "decode", "Failing"

        def measure(self, *_: object) -> Result:
            raise FailedError("csq_assets ended with 1")

    class Working(Failing):
        def measure(self, *_: object) -> Result:
            return result_of("memory")

    cases = {"decode": Failing(), "memory": Working()}
    monkeypatch.setattr(command, "_FOLDER", tmp_path)
    monkeypatch.setattr(command, "find_case", cases.__getitem__)
    ran = CliRunner().invoke(command.main, ["decode", "memory"])
    assert ran.exit_code == 1
    assert "decode failed: csq_assets ended with 1" in ran.output
    assert "Many rows (memory)" in ran.output


def test_other_rows_are_a_failure() -> None:
    wanted = Contents(2, {"user_id": 30, "path": 4})
    require_same(wanted, {"ours": wanted})
    with pytest.raises(FailedError, match="a peer wrote 1 rows of 2"):
        require_same(wanted, {"ours": wanted, "a peer": Contents(1, {})})
    with pytest.raises(FailedError, match="a peer wrote other values in path"):
        require_same(wanted, {"a peer": Contents(2, {"user_id": 30, "path": 5})})


def test_a_table_that_duckdb_has_not_applied_is_a_failure(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with pytest.raises(FailedError, match="tells of no dumps"):
        home.require_applied(2)
    (tmp_path / "data").mkdir()
    with duckdb.connect(str(tmp_path / "data" / "warehouse.duckdb")) as connection:
        connection.execute("CREATE SCHEMA csq_meta")
        connection.execute(
            "CREATE TABLE csq_meta.dumps AS FROM (VALUES "
            "('applied', TIMESTAMP '2026-03-01'), ('void', NULL), ('applied', NULL), "
            "('held', NULL), ('failed', NULL)) AS dumps (status, applied_at)"
        )
    home.require_applied(2)
    with pytest.raises(FailedError, match="2 tables of dumps were applied, of 3"):
        home.require_applied(3)


def test_records_are_kept_by_case(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    old, new, other = (recorded(case, rows) for case, rows in (("s3", 1), ("s3", 2), ("sync", 1)))
    for record in (old, other, new):
        write_record(file, record)
    assert read_records(file) == {"s3": new, "sync": other}


def test_tables_go_between_the_markers() -> None:
    text = "Prose.\n<!-- benchmarks: begin -->\nold\n<!-- benchmarks: end -->\nMore.\n"
    written = with_tables(text, {"memory": recorded("memory", 5)})
    assert written == (
        "Prose.\n<!-- benchmarks: begin -->\n"
        "## Goals\n\n"
        "| work | goal | figure | reached | why |\n"
        "| --- | ---: | ---: | --- | --- |\n"
        r"| memory | ≤ 600 MB | 750 MB | missed by 25.0% | a \| b |" + "\n"
        "| beside others |  | 3.14 × |  |  |\n\n"
        "## Many rows: `python -m benchmarks memory`\n\nIn words.\n\n"
        "Measured on 2026-03-01: a processor, 2 cores, 24 GB; Python 3.11.9, polars 2.1.0.\n\n"
        "| run | wall s | CPU s | peak MB | over imports | rows | rounds |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| ours | 2.00 (1.00-3.00) | 0.50 | 900 | 750 | 5 | 3 |\n\n"
        "Left out: dlt, as there is no network.\n"
        "<!-- benchmarks: end -->\nMore.\n"
    )
    with pytest.raises(FailedError, match="no <!-- benchmarks: begin -->"):
        with_tables("Prose.", {})


def test_the_document_tells_what_was_recorded() -> None:
    document = command._DOCUMENT.read_text(encoding="utf-8")
    assert tables(read_records(command._RECORDS)) in document


def read_rows(file: Path) -> list[Any]:
    with file.open("rb") as opened:
        return list(fastavro.reader(opened))


def plain_bytes(block: Block) -> int:
    return len(bytes(cramjam.snappy.decompress_raw(block.packed[:-4])))


def result_of(case: str, rows: int = 1) -> Result:
    run = Measured("ours", Spread(2.0, 1.0, 3.0), Spread(0.5, 0.5, 0.5), 900, 750, rows, rounds=3)
    goals = (Goal("memory", 750, "MB", "≤ 600", "a | b"), Goal("beside others", 3.14159, "×"))
    return Result(case, "Many rows", "In words.", goals, (run,), ("dlt, as there is no network",))


def recorded(case: str, rows: int) -> Recorded:
    return Recorded(date(2026, 3, 1), MACHINE, result_of(case, rows))
