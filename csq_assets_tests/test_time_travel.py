"""Tables as they were after a dump, and what changed from one dump to another."""

import re
import signal
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from csq_assets.errors import BusyError, CsqError, UsageError
from csq_assets.sync import run_sync
from csq_assets.time_travel import Diff, compare_dumps, rebuild_as_of
from csq_assets.warehouse.new_file import new_warehouse
from csq_assets_tests.builders import ExportBuilder
from csq_assets_tests.ended import end_at, end_on_terminal
from csq_assets_tests.faulty_s3 import FaultyS3, error
from csq_assets_tests.platform import KEYS, Listener, Platform, Ran, open_platform
from csq_assets_tests.warehouse.test_connection import held_elsewhere

FIGURES = (
    "rows_in",
    "rows_new",
    "rows_updated",
    "rows_reresolved",
    "duplicates_dropped",
    "users_merged",
)


def view(user: int, event: int, path: str = "/") -> dict[str, Any]:
    return {"user_id": user, "event_id": event, "path": path}


def deliver_three(platform: Platform) -> Iterator[int]:
    """Rows that are new, updated, duplicates, merged; then a full resync with another column."""
    users = [{"user_id": 1, "plan": "free"}, {"user_id": 2, "plan": "pro"}]
    platform.deliver(12, users=users, pageviews=[view(1, 1), view(2, 1), view(2, 1, "/twice")])
    yield 12
    platform.deliver(
        13,
        users=[{"user_id": 1, "plan": "team"}, {"user_id": 3, "plan": None}],
        pageviews=[view(3, 1), view(3, 1, "/twice"), view(1, 2)],
        user_migrations=[{"from_user_id": 1, "to_user_id": 2}],
    )
    yield 13
    users = [{"user_id": 2, "tier": "gold"}]
    platform.deliver(14, users=users, full_resync=["users"], notes=[{"text": "hello"}])
    yield 14


def seen(platform: Platform) -> dict[str, list[dict[str, Any]]]:
    return {table: platform.rows(table) for table in platform.relations()}


def as_it_was(platform: Platform, dump_id: int, *tables: str) -> dict[str, list[dict[str, Any]]]:
    """What is in a file rebuilt as of the dump."""
    file = platform.folder / f"{dump_id}.duckdb"
    rebuild_as_of(platform.settings, dump_id, str(file), Listener(), tables=tables)
    return seen(replace(platform, settings=replace(platform.settings, duckdb_path=file)))


def differences(platform: Platform, first: int, last: int, *tables: str) -> Diff:
    return compare_dumps(platform.settings, first, last, Listener(), tables=tables)


def objects(platform: Platform) -> dict[str, str]:
    """What is in the lake."""
    return {one.key: one.etag for one in platform.lake.store.objects.list("")}


def test_tables_are_as_they_were(either_platform: Platform) -> None:
    platform, then = either_platform, dict[int, Any]()
    for dump_id in deliver_three(platform):
        platform.sync()
        then[dump_id] = seen(platform)
    lake, warehouse = objects(platform), platform.settings.duckdb_path.read_bytes()
    for dump_id, tables in then.items():
        assert as_it_was(platform, dump_id) == tables
        differences(platform, dump_id, 14)
    assert objects(platform) == lake
    assert platform.settings.duckdb_path.read_bytes() == warehouse


def test_figures_are_those_of_the_materializations(platform: Platform) -> None:
    recorded: dict[tuple[str, int], dict[str, Any]] = {}
    for dump_id in deliver_three(platform):
        platform.sync()
        for table in ("users", "pageviews"):
            event = platform.instance.get_latest_materialization_event(KEYS.current(table))
            assert event is not None
            assert event.asset_materialization is not None
            metadata = event.asset_materialization.metadata
            recorded[table, dump_id] = {name: metadata[name].value for name in metadata}
    diff = differences(platform, 12, 14)
    found = {(one.table, dump.dump_id): dump for one in diff.tables for dump in one.dumps}
    for key in (("users", 13), ("users", 14), ("pageviews", 13)):
        figures = asdict(found[key].difference)
        assert {name: figures[name] for name in FIGURES} == {
            name: recorded[key][name] for name in FIGURES
        }
        assert figures["rows_after"] == recorded[key]["dagster/row_count"]
        assert found[key].change == recorded[key]["change"]
    assert ("pageviews", 14) not in found  # nothing changed


def test_what_changed_is_told_for_people_and_for_programs(platform: Platform) -> None:
    list(deliver_three(platform))
    platform.sync()
    ran = platform.csq("diff", "12", "14", "users", "--json")
    assert (ran.code, ran.stderr) == (0, "")
    nothing = {"columns_added": [], "columns_removed": []}
    assert ran.json() == {
        "first": 12,
        "last": 14,
        "identity": {"resolved_before": 0, "resolved_after": 1, "changed": 1},
        "tables": [
            {
                "table": "users",
                "difference": {
                    "rows_before": 2,
                    "rows_void": 2,
                    "rows_in": 3,
                    "duplicates_dropped": 1,
                    "users_merged": 1,
                    "rows_after": 1,
                    "rows_new": 2,
                    "rows_updated": 1,
                    "rows_reresolved": 1,
                    "columns_added": ["tier"],
                    "columns_removed": ["plan"],
                },
                "dumps": [
                    {
                        "dump_id": 13,
                        "change": "appended",
                        "difference": {
                            "rows_before": 2,
                            "rows_void": 0,
                            "rows_in": 2,
                            "duplicates_dropped": 1,
                            "users_merged": 1,
                            "rows_after": 2,
                            "rows_new": 1,
                            "rows_updated": 1,
                            "rows_reresolved": 1,
                            **nothing,
                        },
                    },
                    {
                        "dump_id": 14,
                        "change": "replayed",
                        "difference": {
                            "rows_before": 2,
                            "rows_void": 2,
                            "rows_in": 1,
                            "duplicates_dropped": 0,
                            "users_merged": 0,
                            "rows_after": 1,
                            "rows_new": 1,
                            "rows_updated": 0,
                            "rows_reresolved": 0,
                            "columns_added": ["tier"],
                            "columns_removed": ["plan"],
                        },
                    },
                ],
                "failed": [],
                "held": [],
                "pending": [],
            }
        ],
    }
    ran = platform.csq("diff", "12", "13", "users", "pageviews")
    assert (ran.code, ran.stdout) == (0, "")
    assert ran.stderr.splitlines() == [
        "From dump 12 to dump 13: 2 tables changed.",
        (
            "table users  before 2  - void 0  + delivered 2  - duplicates 1  - merged 1  "
            "= after 2  new 1  updated 1  re-resolved 1"
        ),
        (
            "table pageviews  before 2  - void 0  + delivered 3  - duplicates 2  - merged 0  "
            "= after 3  new 2  updated 0  re-resolved 1"
        ),
        "Identity map: 1 change, from 0 merged ids to 1.",
    ]


def test_what_was_missing_then_is_named(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    delivery = platform.deliver(13, users=[{"user_id": 2}])
    (path,) = delivery.paths["users"]
    platform.export.put(platform.export.key_of(path), b"not Avro")
    platform.deliver(14, users=[{"user_id": 3}])
    platform.deliver(15, users=[{"user_id": 4}], full_resync=True)
    platform.sync()
    assert platform.csq("status").code == 0
    ran = platform.csq("rebuild", "--as-of", "14", "--into", "then.duckdb")
    assert (ran.code, ran.stdout) == (3, "")
    said = ran.stderr.splitlines()
    assert said[0] == f"{platform.folder / 'then.duckdb'} has 1 table as of dump 14."
    assert said[1] == "table users  newest dump 12  rows 1"
    assert "ERROR csq/current/users  no_gap: dump 14 is held behind dump 13, which failed" in said
    (users,) = differences(platform, 12, 14).tables
    assert (users.difference.rows_after, users.failed, users.held) == (1, (13,), (14,))
    ran = platform.csq("diff", "12", "14")
    assert "users: held behind a dump that failed: dump 14." in ran.stderr.splitlines()
    assert as_it_was(platform, 15) == {"all_events": [], **seen(platform)}


def test_what_is_not_decoded_yet_is_named(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], notes=[{"text": "hello"}])
    platform.sync(skip=("notes",))
    ran = platform.csq("rebuild", "--as-of", "12", "--into", "then.duckdb")
    assert ran.code == 0
    assert "table notes  newest dump -  rows 0" in ran.stderr
    assert "WARN  csq/current/notes  complete: dump 12 is not decoded yet" in ran.stderr
    assert "notes: not decoded yet: dump 12." in platform.csq("diff", "12", "12").stderr


def test_a_single_table_is_rebuilt_alone(platform: Platform) -> None:
    list(deliver_three(platform))
    platform.sync()
    then = as_it_was(platform, 13, "users")
    assert then == {
        "all_events": [],
        "users": [
            {"user_id": 2, "plan": "pro", "_dump_id": 13},
            {"user_id": 3, "plan": None, "_dump_id": 13},
        ],
    }


def test_such_a_file_can_take_the_place_of_the_one_in_use(platform: Platform) -> None:
    list(deliver_three(platform))
    platform.sync()
    as_it_was(platform, 12)
    file = platform.folder / "12.duckdb"
    moved = replace(platform, settings=replace(platform.settings, duckdb_path=file))
    assert run_sync(moved.settings, platform.instance, Listener()).errors == ()
    assert seen(moved) == seen(platform)


@pytest.mark.parametrize(
    ("into", "said"),
    [
        ("csq.duckdb", '"csq.duckdb" would make csq.users ambiguous'),
        ("md:secret", 'what begins with "md:" is not the path of a file'),
        ("{home}/dagster.yaml", "that file exists"),
        ("{home}/data/warehouse.duckdb", "and the DuckDB file at"),
        ("{home}/data/lake/x.duckdb", "and the lake at"),
        ("{export}/x.duckdb", "and the export at"),
        ("{home}/dagster.yaml/x.duckdb", "cannot make the folder"),
    ],
)
def test_a_file_that_cannot_be_is_refused(platform: Platform, into: str, said: str) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    before = files(platform)
    place = into.format(home=platform.folder, export=platform.settings.export_url)
    with pytest.raises(CsqError, match=re.escape(said)) as refused:
        rebuild_as_of(platform.settings, 12, place, Listener())
    assert "CSQ_" not in refused.value.remedy
    assert files(platform) == before


def files(platform: Platform) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in platform.folder.glob("*") if path.is_file()}


def test_wrong_usage_is_a_sentence(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    together = "--as-of and --into belong together, and without --accept-lake."
    for arguments, said in (
        (("rebuild", "--as-of", "12"), together),
        (("rebuild", "--into", "x.duckdb"), together),
        (("rebuild", "--as-of", "12", "--into", "x.duckdb", "--accept-lake"), together),
        (("rebuild", "--as-of", "11", "--into", "x.duckdb"), "there is no dump 11 in the lake."),
        (("rebuild", "--as-of", "12", "--into", "x.duckdb", "no"), 'there is no table "no" in'),
        (("diff", "12", "11"), "dump 12 comes after dump 11. Name the lower one first."),
        (("diff", "11", "12"), "there is no dump 11 in the lake. The newest are dump 12."),
        (("diff", "12", "12", "no"), 'there is no table "no" in the lake. Known tables: users.'),
    ):
        ran = platform.csq(*arguments)
        assert (ran.code, ran.stdout) == (2, "")
        assert ran.stderr.startswith(f"csq: {said}")
    assert not (platform.folder / "x.duckdb").exists()


def test_without_a_partition_there_is_no_file(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}], sessions=[{"user_id": 1, "session_id": 1}])
    platform.sync()
    platform.lake.store.delete("users", 12)
    ran = platform.csq("rebuild", "--as-of", "12", "--into", "then.duckdb")
    assert ran.code == 1
    assert ran.stderr.startswith("csq: table users, dump 12: ")
    assert list(platform.folder.glob("*then*")) == []
    assert platform.csq("rebuild", "--as-of", "12", "--into", "then.duckdb", "sessions").code == 0


@pytest.mark.slow
def test_what_is_ended_leaves_nothing_or_is_finished(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    list(deliver_three(platform))
    platform.sync()
    rebuild = ("rebuild", "--as-of", "13", "--into", "then.duckdb")
    interrupted = end_at(platform, signal.SIGINT, "rename .*/then.duckdb", command=rebuild)
    assert interrupted == Ran(130, "", "csq: interrupted; what was finished is kept\n")
    assert list(platform.folder.glob("*then*")) == []
    ran = end_on_terminal(
        platform, signal.SIGTERM, lambda said: "comparing" in said, ("diff", "12", "14")
    )
    assert (ran.code, list(temporary.iterdir())) == (143, [])
    end_at(platform, signal.SIGKILL, "rename .*/then.duckdb", command=rebuild)
    left = [path.name for path in platform.folder.glob("*then*")]
    assert left == [".then.duckdb.unfinished"]
    assert platform.csq(*rebuild).code == 0
    left = [path.name for path in platform.folder.glob("*then*")]
    assert left == ["then.duckdb"]


def test_types_that_were_chosen_are_those_of_the_file(platform: Platform) -> None:
    platform.deliver(12, notes=[{"number": "7"}])
    platform.sync()
    types = platform.folder / "types.toml"
    types.write_text('[notes]\nnumber = "DOUBLE"\n')
    chosen = replace(platform, settings=replace(platform.settings, types_path=types))
    as_it_was(chosen, 12)
    with duckdb.connect(platform.folder / "12.duckdb", read_only=True) as connection:
        found = connection.execute("SELECT typeof(number) FROM csq_typed.notes").fetchall()
    assert found == [("DOUBLE",)]


@pytest.mark.s3
def test_no_right_to_write_is_needed(
    faulty_s3: FaultyS3, s3_export: ExportBuilder, s3_client: Any, home: Path
) -> None:
    s3_client.create_bucket(Bucket="ours")
    with open_platform(home, s3_export, "s3://ours/lake") as platform:
        platform.deliver(12, users=[{"user_id": 1}])
        platform.sync()
        denied = error(403, "AccessDenied")
        faulty_s3.fault = lambda request: None if request.method in ("GET", "HEAD") else denied
        assert as_it_was(platform, 12) == seen(platform)
        assert differences(platform, 12, 12).tables[0].difference.rows_after == 1


class _KilledError(Exception):
    """Stands for what ends the work."""


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "then.duckdb"
    with pytest.raises(_KilledError), new_warehouse(path, memory_limit="1GB"):
        raise _KilledError
    assert list(tmp_path.iterdir()) == []
    with new_warehouse(path, memory_limit="1GB"):
        path.touch()  # somebody else is faster
        with pytest.raises(UsageError), new_warehouse(path, memory_limit="1GB"):
            pass
        path.unlink()
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_kill_left_is_taken_up_and_not_what_another_writes(tmp_path: Path) -> None:
    path, beside = tmp_path / "then.duckdb", tmp_path / ".then.duckdb.unfinished"
    with held_elsewhere(beside), pytest.raises(BusyError), new_warehouse(path, memory_limit="1GB"):
        pass
    assert beside.exists()
    with new_warehouse(path, memory_limit="1GB"):
        pass
    assert list(tmp_path.iterdir()) == [path]
