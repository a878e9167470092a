"""`csq forget`: users leave every place, and nothing brings them in again."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import polars as pl
import pytest

from csq_assets import forgetting
from csq_assets.dataconnect.certificate import Certificate
from csq_assets.doctor import Probe, examine
from csq_assets.errors import BusyError
from csq_assets.forgetting import close_ids, run_forget
from csq_assets.time_travel import rebuild_as_of
from csq_assets_tests.damaged import damage_first_page
from csq_assets_tests.platform import Listener, Platform
from csq_assets_tests.test_kills import kill_before
from csq_assets_tests.traces import in_duckdb, in_lake, traces

# 11 became 20, which became 30 before it is forgotten: one person. 60 is another.
ANA, OTHER = (8_411_000_000_011, 8_411_000_000_020, 8_411_000_000_030), 8_411_000_000_060


def deliver(platform: Platform) -> None:
    first, second, third = ANA
    platform.deliver(
        12,
        users=[{"user_id": first, "email": "ana@x"}, {"user_id": OTHER, "email": "bo@x"}],
        pageviews=[
            {"event_id": 1, "user_id": first, "path": "/a"},
            {"event_id": 2, "user_id": OTHER, "path": "/b"},
        ],
        user_migrations=[{"from_user_id": first, "to_user_id": second}],
    )
    platform.deliver(
        13,
        users=[{"user_id": third, "email": "ana@y"}],
        pageviews=[{"event_id": 3, "user_id": second, "path": "/c"}],
        user_migrations=[
            {"from_user_id": first, "to_user_id": second},
            {"from_user_id": second, "to_user_id": third},
        ],
        tables={"signups": [{"event_id": 9, "user_id": OTHER}]},
    )


def forget(platform: Platform, *ids: int) -> Certificate:
    closed = close_ids(platform.settings, ids)
    return run_forget(platform.settings, platform.instance, Listener(), closed)


def shown(platform: Platform) -> dict[str, list[dict[str, Any]]]:
    return {table: platform.rows(table) for table in ("users", "pageviews", "signups")}


LEFT = {
    "users": [{"user_id": OTHER, "email": "bo@x", "_dump_id": 12}],
    "pageviews": [
        {"event_id": 2, "user_id": OTHER, "path": "/b", "_raw_user_id": OTHER, "_dump_id": 12}
    ],
    "signups": [{"event_id": 9, "user_id": OTHER, "_raw_user_id": OTHER, "_dump_id": 13}],
}


def removed(done: Certificate) -> dict[str, int]:
    """Rows by partition, as `table/dump`, and by table of the DuckDB file."""
    return {
        one.where.partition("raw/")[2].replace("dump_id=", "").removesuffix("/data.parquet")
        or one.where: one.rows
        for one in done.removed
    }


def test_a_person_is_forgotten_by_any_id(either_platform: Platform) -> None:
    deliver(either_platform)
    either_platform.sync()
    assert traces(either_platform, ANA)
    done = forget(either_platform, ANA[1])
    assert (done.left, done.resumed) == ((), False)
    assert traces(either_platform, ANA) == set()
    assert shown(either_platform) == LEFT
    assert removed(done) == {
        "pageviews/12": 1,
        "pageviews/13": 1,
        "user_migrations/12": 1,
        "user_migrations/13": 2,
        "users/12": 1,
        "users/13": 1,
        "csq_ledger.identity_changes": 2,
        "csq_meta.user_identity": 2,
        "csq_rows.pageviews": 2,
        "csq_rows.user_migrations": 2,
        "csq_rows.users": 3,  # with the merged one
    }
    assert [user.found for user in done.users] == [True] * 3
    assert done.second_search.partitions == 7
    again = either_platform.sync()
    assert (again.errors, [one for one in again.standing if one.is_error]) == ((), [])


@pytest.mark.parametrize("published_as", ["iceberg", "parquet"])
def test_nothing_brings_a_forgotten_user_back(
    platform: Platform, tmp_path: Path, published_as: str
) -> None:
    settings = replace(
        platform.settings,
        snapshot_path=tmp_path / "snapshot" / "copy.duckdb",
        publish_url=str(tmp_path / "published"),
        publish_format=published_as,
    )
    platform = replace(platform, settings=settings)
    deliver(platform)
    platform.sync()
    places = "\n".join(traces(platform, ANA))
    assert "copy.duckdb" in places
    assert str(tmp_path / "published") in places
    done = forget(platform, ANA[0])
    assert (done.left, done.second_search.published > 0) == ((), True)
    assert traces(platform, ANA) == set()
    deliver(platform)  # the same bytes: taken again because their partitions are gone
    for table, dump_id in platform.lake.store.partitions():
        platform.lake.store.delete(table, dump_id)
    platform.sync()
    platform.deliver(  # and later dumps
        14,
        users=[{"user_id": ANA[2]}, {"user_id": OTHER, "email": "bo@z"}],
        pageviews=[{"event_id": 3, "user_id": ANA[1], "path": "/c"}],
        user_migrations=[
            {"from_user_id": str(ANA[1]), "to_user_id": "5"},
            {"from_user_id": "6", "to_user_id": f"0{ANA[2]}"},
            {"from_user_id": "6", "to_user_id": "7"},
        ],
    )
    platform.sync()
    platform.rebuild()
    rebuild_as_of(settings, 13, str(tmp_path / "then.duckdb"), Listener())
    assert set(in_duckdb(tmp_path / "then.duckdb", ANA)) == set()
    assert traces(platform, ANA) == set()
    users = [{"user_id": OTHER, "email": "bo@z", "_dump_id": 14}]
    assert shown(platform) == {**LEFT, "users": users}
    assert platform.rows("user_identity", "csq_meta") == [{"from_user_id": 6, "user_id": 7}]
    content = next(
        table.content
        for table in platform.lake.ledger.records()[14].tables
        if table.table == "users"
    )
    assert content is not None
    assert (content.rows, content.forgotten) == (1, 1)


@pytest.mark.parametrize("published_as", ["iceberg", "parquet"])
def test_a_text_in_the_row_of_another_stays_wherever_that_is(
    platform: Platform, tmp_path: Path, published_as: str
) -> None:
    published = {"publish_url": str(tmp_path / "published"), "publish_format": published_as}
    platform = replace(platform, settings=replace(platform.settings, **published))
    deliver(platform)
    platform.deliver(14, tables={"notes": [{"user_id": OTHER, "who": str(ANA[0])}]})
    platform.sync()
    done = forget(platform, ANA[0])
    assert (done.left, done.is_complete) == ((), True)
    assert platform.rows("notes")[0]["who"] == str(ANA[0])
    files = {Path(place).name for place in traces(platform, ANA)}
    assert {Path(place).parent.parent.name for place in traces(platform, ANA)} >= {"notes"}, files


def test_an_unknown_user_is_forgotten_all_the_same(platform: Platform) -> None:
    deliver(platform)
    platform.sync()
    ran = platform.csq("forget", "-8411000000099", "--yes")
    assert (ran.code, ran.json()["complete"]) == (0, True)
    assert [user["found"] for user in ran.json()["users"]] == [False]
    assert "Nothing was found of 1 id of 1." in ran.stderr
    platform.deliver(14, users=[{"user_id": -8_411_000_000_099}])
    platform.sync()
    assert traces(platform, [-8_411_000_000_099]) == set()


def test_what_people_made_of_a_user_is_theirs_to_delete(platform: Platform) -> None:
    deliver(platform)
    platform.sync()
    with duckdb.connect(str(platform.settings.duckdb_path)) as connection:
        connection.execute("CREATE SCHEMA marts")
        connection.execute("CREATE TABLE marts.fans AS SELECT list(user_id) AS who FROM csq.users")
    own = platform.lake.store
    own.write_frame("assets/fans/data.parquet", pl.LazyFrame({"who": [[str(ANA[0])]]}))
    done = forget(platform, ANA[0])
    assert [(one.where.rpartition("/")[2], one.what) for one in done.left] == [
        ("data.parquet", 'an id, in "who"'),
        ("warehouse.duckdb", 'an id, in "who" of 1 rows of marts.fans'),
    ]
    assert platform.lake.documents.tombstones().unfinished
    own.objects.delete("assets/fans/data.parquet")
    with duckdb.connect(str(platform.settings.duckdb_path)) as connection:
        connection.execute("CREATE OR REPLACE TABLE marts.fans AS SELECT user_id FROM csq.users")
    done = forget(platform)
    assert (done.left, done.resumed, len(done.users)) == ((), True, 3)
    assert traces(platform, ANA) == set()
    assert platform.lake.documents.tombstones().unfinished == ()


@pytest.mark.parametrize("job", ["csq_raw", "csq_current", "csq_marts"])
def test_a_run_that_began_before_is_waited_for(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, job: str
) -> None:
    deliver(platform)
    platform.sync()
    run = dg.DagsterRun(job, status=dg.DagsterRunStatus.STARTED)
    platform.instance.add_run(run)
    monkeypatch.setattr(forgetting, "_WAIT_SECONDS", 0)
    with pytest.raises(BusyError, match=run.run_id):
        forget(platform, ANA[0])
    platform.instance.report_run_failed(run)
    done = forget(platform)
    assert (done.left, done.resumed, traces(platform, ANA)) == ((), True, set())


def test_a_table_that_is_skipped_is_named(platform: Platform) -> None:
    deliver(platform)
    platform.sync()
    skipping = replace(platform, settings=replace(platform.settings, skip_tables=("users",)))
    done = forget(skipping, ANA[0])
    assert {one.what.rpartition(" of ")[2] for one in done.left} == {"csq_rows.users"}
    assert {one.remedy.partition(",")[0] for one in done.left} == {
        "Take the table out of CSQ_SKIP_TABLES"
    }
    assert forget(platform).left == ()
    assert traces(platform, ANA) == set()


def test_a_damaged_partition_is_named_and_the_others_are_emptied(platform: Platform) -> None:
    deliver(platform)
    platform.sync()
    location = platform.lake.store.location
    files = [Path(location(table, 12)) for table in ("pageviews", "users")]
    for file in files:  # of the first, ids of events; of the other, ids of users
        damage_first_page(file)
    ran = platform.csq("forget", str(ANA[0]), "--yes")
    assert (ran.code, ran.json()["complete"]) == (1, False), ran.stderr
    what = (
        "cannot be read: parquet: File out of specification: zstd error: Unknown frame descriptor"
    )
    remedy = "If the file is damaged, delete it and run csq sync. Then run csq forget again."
    assert [
        one for one in ran.json()["left"] if one["where"].startswith(str(files[0].parents[2]))
    ] == [
        {"where": str(files[0]), "what": f"{files[0]} {what}", "remedy": remedy},
        {"where": str(files[1]), "what": f"{files[1]} {what}", "remedy": remedy},
        {"where": str(files[0]), "what": "rows of a user", "remedy": "Run csq forget again."},
    ]
    for file in files:
        file.unlink()
    assert list(in_lake(platform, ANA)) == []
    platform.sync()
    ran = platform.csq("forget")
    assert (ran.code, ran.json()["left"], ran.json()["resumed"]) == (0, [], True), ran.stderr
    assert traces(platform, ANA) == set()
    assert shown(platform) == LEFT


def test_a_damaged_identity_map_is_told_before_anything_is_done(platform: Platform) -> None:
    deliver(platform)
    platform.sync()
    damage_first_page(Path(platform.lake.store.location("user_migrations", 13)))
    ran = platform.csq("forget", str(ANA[0]), "--yes")
    assert (ran.code, ran.stdout) == (1, "")
    assert "dump 13, table user_migrations: " in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not platform.lake.documents.tombstones()


@pytest.mark.slow
def test_a_call_that_is_killed_is_finished_by_the_next(platform: Platform, tmp_path: Path) -> None:
    snapshot = tmp_path / "snapshot.duckdb"
    platform = replace(platform, settings=replace(platform.settings, snapshot_path=snapshot))
    deliver(platform)
    platform.sync()
    ids = ("forget", str(ANA[0]), "--yes")
    kill_before(platform, r"rename .*/forgotten\.json", command=ids)
    assert not platform.lake.documents.tombstones()
    kill_before(platform, r"rename .*/data\.parquet", command=ids)
    assert len(platform.lake.documents.tombstones().unfinished) == 3
    assert traces(platform, ANA)
    then = tmp_path / "then.duckdb"
    for looks_back in (
        ("rebuild", "--as-of", "13", "--into", str(then)),
        ("diff", "12", "13"),
        ("rebuild",),
    ):
        ran = platform.csq(*looks_back)
        assert (ran.code, ran.stdout, then.exists()) == (1, "", False)
        assert "csq forget did not come to its end" in ran.stderr
        assert "Run csq forget, without an id" in ran.stderr
    finish = ("forget", "--yes")
    kill_before(platform, r"rename .*/ledger/\d+/", command=finish)  # with a partition it lacks
    platform.sync()  # a pass in between works with what there is
    kill_before(platform, r"rename .*/data\.parquet", 3, command=finish)
    kill_before(platform, "record ASSET_MATERIALIZATION csq__current__users", command=finish)
    kill_before(platform, r"rename .*/warehouse\.duckdb", command=finish)
    kill_before(platform, r"rename .*/snapshot\.duckdb", command=finish)
    ran = platform.csq("forget")
    assert (ran.code, ran.json()["left"], ran.json()["resumed"]) == (0, [], True), ran.stderr
    assert traces(platform, ANA) == set()
    assert shown(platform) == LEFT
    assert platform.sync().errors == ()


def test_what_the_command_refuses(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("# by mail\n5\n\nana@x\n")
    empty = tmp_path / "empty.txt"
    empty.write_text("# nobody\n")
    for arguments, said in (
        (["forget", "5"], "nobody can be asked here. Add --yes"),
        (["forget", "5.0", "--yes"], '"5.0" is not the id of a user'),
        (["forget", str(2**63), "--yes"], "is not the id of a user"),
        (["forget", "--from", str(file)], f'file {file}, line 4: "ana@x" is not the id of a user'),
        (["forget", "--from", str(empty), "--yes"], f"{empty} has no id. Give one id a line"),
        (["forget", "--from", "nowhere"], "nowhere cannot be read: No such file or directory"),
        (["forget", "--certificate", "nowhere/c.json"], "nowhere cannot be written"),
    ):
        ran = platform.csq(*arguments)
        assert (ran.code, ran.stdout) == (2, "")
        assert said in ran.stderr
    assert not platform.lake.documents.tombstones()


@pytest.mark.slow
def test_what_checks_found_in_rows_that_are_gone_is_found_no_more(platform: Platform) -> None:
    """Also where the call that took them away was killed before the lake knew. No finding has a value
    of a property at all."""
    platform.deliver(12, users=[{"user_id": OTHER, "plan": "true"}])
    platform.sync()
    platform.deliver(13, users=[{"user_id": ANA[0], "plan": "Erika Secretville"}])
    platform.sync()

    def found() -> tuple[int | None, list[str]]:
        relation = platform.lake.documents.relations()["csq/current/users"]
        return relation.rows, [one.description for one in relation.findings]

    assert found() == (2, ['dump 13 makes "plan" VARCHAR, it was BOOLEAN'])
    kill_before(platform, r"rename .*/relations/", 2, command=("forget", str(ANA[0]), "--yes"))
    assert found()[0] == 2
    ran = platform.csq("forget")
    assert (ran.code, ran.json()["left"]) == (0, []), ran.stderr
    assert found() == (1, [])
    export = Path(platform.settings.export_url)
    holding = {
        path
        for path in platform.folder.rglob("*")
        if path.is_file()
        and not path.is_relative_to(export)
        and b"Secretville" in path.read_bytes()
    }
    assert holding == set()


def test_without_a_duckdb_file_no_finding_names_a_forgotten_user(platform: Platform) -> None:
    deliver(platform)
    pairs = [{"from_user_id": ANA[0], "to_user_id": one} for one in ANA[1:]]
    platform.deliver(14, user_migrations=pairs)
    platform.sync()
    identity = platform.lake.documents.relations()["csq/user_identity"]
    assert str(ANA[0]) in identity.findings[0].description
    platform.settings.duckdb_path.unlink()
    assert forget(platform, *ANA).left == ()
    assert traces(platform, ANA) == set()
    platform.sync()
    assert (shown(platform), traces(platform, ANA)) == (LEFT, set())


def test_ids_from_a_file_and_the_certificate_in_one(platform: Platform, tmp_path: Path) -> None:
    deliver(platform)
    platform.sync()
    ids, certificate = tmp_path / "ids.txt", tmp_path / "certificate.json"
    ids.write_text(f"{ANA[0]}  # by mail\n{OTHER}\n", "utf-8-sig")  # as Excel writes it
    ran = platform.csq("forget", "--from", str(ids), "--yes", "--certificate", str(certificate))
    assert (ran.code, ran.stdout) == (0, ""), ran.stderr
    document = json.loads(certificate.read_text())
    hashes = {user["hash"] for user in document["users"]}
    assert hashes == {
        hashlib.sha256(f"{document['salt']}{user_id}".encode()).hexdigest()
        for user_id in (*ANA, OTHER)
    }
    assert not any(str(user_id) in certificate.read_text() for user_id in (*ANA, OTHER))
    assert shown(platform) == {"users": [], "pageviews": [], "signups": []}
    assert traces(platform, (*ANA, OTHER)) == set()


def test_a_certificate_that_cannot_be_written_goes_to_stdout(
    platform: Platform, tmp_path: Path
) -> None:
    deliver(platform)
    platform.sync()
    file = tmp_path / f"{'c' * 250}.json"  # what is written beside it has a longer name
    ran = platform.csq("forget", str(ANA[0]), "--yes", "--certificate", str(file))
    assert (ran.code, ran.json()["complete"], len(ran.json()["removed"])) == (1, True, 11)
    assert ran.stderr.endswith(
        "c.json cannot be written: File name too long. "
        "The certificate is on stdout instead: keep it.\n"
    )
    assert "Traceback" not in ran.stderr


def test_csq_doctor_says_whether_it_is_known_who_was_forgotten(platform: Platform) -> None:
    documents, now = platform.lake.documents, datetime.now(UTC)
    asked = documents.tombstones().with_ids(ANA, now)

    def said() -> Probe:
        return next(one for one in examine(lambda: platform.settings) if one.name == "lake")

    documents.save_tombstones(asked)
    assert (said().ok, said().said.rpartition("; ")[2]) == (
        True,
        "csq forget did not come to its end: run it again",
    )
    documents.save_tombstones(asked.finished())
    assert said().said.endswith("; 3 ids of forgotten users are kept out")
    platform.lake.store.objects.put("forgotten.json", b"{")
    assert (said().ok, "forgotten.json" in said().said) == (False, True)
