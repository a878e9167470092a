"""The made-up export: what it holds, and what it does to the directory it is written to."""

import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import fastavro
import pytest

from csq_assets.dataconnect.manifest import Manifest, TableDump, parse_manifest
from csq_assets.errors import UsageError
from csq_assets.sample import SampleSummary, write_sample

NOW = datetime(2026, 3, 1, 6, 45, tzinfo=UTC)
BUCKET = "s3://csq-rs3-acme/"
CUSTOM_EVENTS = ("sign_up_click_link", "add_to_cart", "_key_events__order_")


class Sample:
    """A sample with the default arguments, read back."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.summary = write_sample(directory, now=NOW)
        bodies = [path.read_bytes() for path in (directory / "manifests").iterdir()]
        self.manifests = sorted(map(parse_manifest, bodies), key=lambda dump: dump.dump_id)

    def dumps_of(self, table: str) -> list[TableDump]:
        return [dump for manifest in self.manifests if (dump := manifest.table(table))]

    def rows(self, dump: TableDump) -> list[Any]:
        return [row for path in dump.files for row in self.reader(path)]

    def reader(self, path: str) -> Any:
        body = (self.directory / path.removeprefix(BUCKET)).read_bytes()
        return fastavro.reader(io.BytesIO(body))

    def migrations(self) -> dict[int, int]:
        newest = self.rows(self.dumps_of("user_migrations")[-1])
        return {row["from_user_id"]: row["to_user_id"] for row in newest}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample(tmp_path_factory.mktemp("sample") / "export")


def files_in(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def resolve(migrations: dict[int, int], user_id: int) -> int:
    while user_id in migrations:
        user_id = migrations[user_id]
    return user_id


def test_dumps_have_manifests_definitions_and_reports(sample: Sample) -> None:
    ids = [manifest.dump_id for manifest in sample.manifests]
    assert sample.summary.dump_ids == tuple(ids)
    assert len(ids) == 4
    assert ids != list(range(ids[0], ids[0] + 4))
    assert sorted(ids, key=str) != ids
    found = files_in(sample.directory)
    listed = {
        path.removeprefix(BUCKET)
        for manifest in sample.manifests
        for path in (
            *(path for dump in manifest.tables for path in dump.files),
            definitions(manifest),
        )
    }
    reports = {key for key in found if key.startswith("sync_reports/")}
    assert len(reports) == 4
    assert listed <= set(found)
    assert {Path(key).parts[0] for key in listed} == {f"sync_{dump_id}" for dump_id in ids}
    others = set(found) - listed - reports - {f"manifests/sync_{dump_id}.json" for dump_id in ids}
    (decoy,) = others - {".csq_sample"}
    assert decoy.startswith(f"sync_{ids[-1]}/pageviews/part-00099-")
    assert sample.summary.files == len(found) - 1


def definitions(manifest: Manifest) -> str:
    assert manifest.property_definitions is not None
    return manifest.property_definitions


def test_the_decoy_would_change_counts(sample: Sample) -> None:
    delivered = {
        row["event_id"] for dump in sample.dumps_of("pageviews") for row in sample.rows(dump)
    }
    (decoy,) = sample.directory.glob("sync_*/pageviews/part-00099-*")
    rows = list(sample.reader(decoy.relative_to(sample.directory).as_posix()))
    assert len(rows) == 40
    assert len({row["event_id"] for row in rows} - delivered) == 40


def test_reports_say_that_all_went_well_and_the_next_sync_is_due_later(sample: Sample) -> None:
    reports = [
        json.loads(path.read_bytes())
        for path in sorted((sample.directory / "sync_reports").iterdir())
    ]
    assert {(report["status"], report["error"]) for report in reports} == {("succeeded", None)}
    times = [
        [report[name] for name in ("start_time", "finish_time", "next_sync_at")]
        for report in reports
    ]
    assert all(sorted(each) == each for each in times)
    starts, finishes, nexts = ([each[place] for each in times] for place in range(3))
    assert finishes[:-1] < starts[1:] == sorted(starts[1:])
    now = NOW.timestamp() * 1000
    assert finishes[-1] < now < nexts[-1] < now + timedelta(days=1) / timedelta(milliseconds=1)


@pytest.mark.parametrize("clock", ["00:00:00", "23:59:59"])
def test_the_newest_sync_is_past_and_the_next_ahead_all_day(tmp_path: Path, clock: str) -> None:
    now = datetime.fromisoformat(f"2026-03-01T{clock}+00:00")
    write_sample(tmp_path, users=1, now=now)
    newest = json.loads(max((tmp_path / "sync_reports").iterdir()).read_bytes())
    assert newest["finish_time"] < now.timestamp() * 1000 < newest["next_sync_at"]


def test_every_table_comes_whole_then_in_increments(sample: Sample) -> None:
    incremental = {
        table: [dump.incremental for dump in sample.dumps_of(table)]
        for table in sample.summary.tables
    }
    assert incremental == {
        "users": [False, True, True, True],
        "sessions": [False, True, True, True],
        "pageviews": [False, True, True, True],
        "sign_up_click_link": [False, True, True, True],
        "add_to_cart": [False, True, True, False],
        "_key_events__order_": [False, True, True, True],
        "user_migrations": [False, False, False, False],
    }
    first, *later = sample.manifests
    assert {len(dump.files) for dump in first.tables} == {3}
    pageviews = [manifest.table("pageviews") for manifest in later]
    assert [len(dump.files) for dump in pageviews if dump] == [2, 2, 2]
    assert sample.summary.rows == sum(
        len(sample.rows(dump)) for manifest in sample.manifests for dump in manifest.tables
    )


def test_the_full_resync_lacks_rows_that_were_there(sample: Sample) -> None:
    *earlier, resync = sample.dumps_of("add_to_cart")
    before = {row["event_id"] for dump in earlier for row in sample.rows(dump)}
    after = {row["event_id"] for row in sample.rows(resync)}
    assert before - after
    assert before & after
    assert after - before


def test_only_a_column_of_users_is_added_and_files_have_their_manifests_columns(
    sample: Sample,
) -> None:
    columns = {
        table: [set(d.columns) for d in sample.dumps_of(table)] for table in sample.summary.tables
    }
    first, second, third, fourth = columns.pop("users")
    assert (second, third - second, fourth) == (first, {"plan"}, third)
    assert all(each == dumps[0] for dumps in columns.values() for each in dumps)
    for manifest in sample.manifests:
        for dump in manifest.tables:
            for path in dump.files:
                names = tuple(
                    field["name"] for field in sample.reader(path).writer_schema["fields"]
                )
                assert names == dump.columns


def test_files_spell_types_in_three_ways_but_never_change_them(sample: Sample) -> None:
    spelled: dict[tuple[str, str], set[str]] = {}
    for manifest in sample.manifests:
        for dump in manifest.tables:
            for path in dump.files:
                assert sample.reader(path).codec == "snappy"
                for field in sample.reader(path).writer_schema["fields"]:
                    spelled.setdefault((dump.table, field["name"]), set()).add(str(field["type"]))
    assert spelled["pageviews", "user_id"] == {"long", "['null', 'long']", "['long', 'null']"}
    assert spelled["users", "email"] == {"['null', 'string']", "['string', 'null']"}
    kinds = {
        name: {word for form in forms for word in form.strip("[]").replace("'", "").split(", ")}
        for name, forms in spelled.items()
    }
    assert {len(kind - {"null"}) for kind in kinds.values()} == {1}
    assert kinds["users", "joindate"] - {"null"} == {"long"}
    assert kinds["sessions", "time"] - {"null"} == {"string"}


def test_times_are_texts_of_the_past_and_join_dates_microseconds(sample: Sample) -> None:
    rows = sample.rows(sample.dumps_of("sessions")[-1])
    assert {datetime.fromisoformat(f"{row['time']}Z") < NOW for row in rows} == {True}
    for row in sample.rows(sample.dumps_of("users")[0]):
        joined, modified = (
            datetime.fromtimestamp(row[name] / 1_000_000, UTC)
            for name in ("joindate", "last_modified")
        )
        assert NOW - timedelta(days=40) < joined <= modified < NOW


def test_migrations_are_complete_each_time_and_have_chains(sample: Sample) -> None:
    pairs = [
        [(row["from_user_id"], row["to_user_id"]) for row in sample.rows(dump)]
        for dump in sample.dumps_of("user_migrations")
    ]
    for earlier, later in pairwise(pairs):
        assert set(earlier) < set(later)
    newest = dict(pairs[-1])
    assert len(newest) == len(pairs[-1])  # one target each
    assert any(target in newest for target in newest.values())
    assert all(resolve(newest, source) not in newest for source in newest)


def test_few_people_do_much_and_most_do_little(sample: Sample) -> None:
    migrations = sample.migrations()
    seen = Counter(
        resolve(migrations, row["user_id"])
        for dump in sample.dumps_of("pageviews")
        for row in sample.rows(dump)
    )
    counts = sorted(seen.values(), reverse=True)
    assert len(counts) == 500
    assert sum(counts[:50]) > sum(counts[50:])


def test_people_are_fewer_once_merged_and_only_then_all_duplicates_show(sample: Sample) -> None:
    migrations = sample.migrations()
    rows = [row for dump in sample.dumps_of("pageviews") for row in sample.rows(dump)]
    delivered = {(row["user_id"], row["event_id"]) for row in rows}
    resolved = {(resolve(migrations, user), event) for user, event in delivered}
    assert len(rows) > len(delivered) > len(resolved)
    assert len({user for user, _ in delivered}) > len({user for user, _ in resolved}) == 500


def test_rows_come_again_within_a_dump_and_in_a_later_one(sample: Sample) -> None:
    first, second, *_ = sample.dumps_of("pageviews")
    in_first = [row["event_id"] for row in sample.rows(first)]
    in_second = [row["event_id"] for row in sample.rows(second)]
    assert len(set(in_first)) < len(in_first)
    assert set(in_first) & set(in_second)


def test_keys_hold_no_nulls_and_ids_need_64_bits(sample: Sample) -> None:
    keys = {"users": ["user_id"], "sessions": ["user_id", "session_id"]}
    keys |= {table: ["user_id", "event_id"] for table in ("pageviews", *CUSTOM_EVENTS)}
    largest = 0
    for table, columns in keys.items():
        for dump in sample.dumps_of(table):
            for row in sample.rows(dump):
                assert all(isinstance(row[column], int) for column in columns)
                largest = max(largest, *(row[column] for column in columns))
    assert 2**53 < largest < 2**63


def test_the_same_arguments_on_one_day_give_the_same_bytes(sample: Sample, tmp_path: Path) -> None:
    assert write_sample(tmp_path, now=NOW.replace(hour=23)).dump_ids == sample.summary.dump_ids
    assert files_in(tmp_path) == files_in(sample.directory)


@pytest.mark.parametrize(
    "other", [{"seed": 8}, {"users": 11}, {"dumps": 3}, {"now": NOW + timedelta(days=1)}]
)
def test_other_arguments_replace_the_sample(tmp_path: Path, other: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"users": 10, "now": NOW}
    write_sample(tmp_path / "replaced", **arguments)
    first = files_in(tmp_path / "replaced")
    write_sample(tmp_path / "replaced", **(arguments | other))
    write_sample(tmp_path / "new", **(arguments | other))
    assert files_in(tmp_path / "replaced") == files_in(tmp_path / "new") != first


def test_writing_again_leaves_files_alone_and_mends_what_was_changed(tmp_path: Path) -> None:
    first = write_sample(tmp_path, dumps=2, users=10, now=NOW)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    manifest = tmp_path / f"manifests/sync_{first.dump_ids[0]}.json"
    body = manifest.read_bytes()

    assert write_sample(tmp_path, dumps=2, users=10, now=NOW).changed == 0
    assert {path: path.stat().st_mtime_ns for path in times} == times

    manifest.write_bytes(b"{}")
    again = write_sample(tmp_path, dumps=2, users=10, now=NOW)
    assert again == SampleSummary(
        directory=tmp_path,
        dump_ids=first.dump_ids,
        tables=first.tables,
        rows=first.rows,
        files=first.files,
        changed=1,
    )
    assert manifest.read_bytes() == body


def test_a_sample_that_was_cut_short_can_be_written_again(tmp_path: Path) -> None:
    write_sample(tmp_path / "whole", dumps=1, users=10, now=NOW)
    write_sample(tmp_path / "cut", dumps=3, users=10, now=NOW)
    record = tmp_path / "cut" / ".csq_sample"
    *names, last = record.read_text().splitlines(keepends=True)
    (tmp_path / "cut" / last.strip()).unlink()  # its name was put down, the file never written
    record.write_text("".join([*names, last]))
    write_sample(tmp_path / "cut", dumps=1, users=10, now=NOW)
    assert files_in(tmp_path / "cut") == files_in(tmp_path / "whole")


def test_a_directory_with_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    write_sample(tmp_path, dumps=1, users=2, now=NOW)
    (tmp_path / "sync_1").mkdir()
    (tmp_path / "sync_1/users.avro").write_bytes(b"of somebody else")
    before = files_in(tmp_path)
    with pytest.raises(UsageError) as refused:
        write_sample(tmp_path, dumps=2, users=2, now=NOW)
    assert str(refused.value) == (
        f"{tmp_path} holds sync_1/users.avro, which is not part of a sample. "
        "Name an empty or a new directory; nothing was written."
    )
    assert files_in(tmp_path) == before


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UsageError, match="file is not a directory"):
        write_sample(tmp_path / "file", now=NOW)
    with pytest.raises(UsageError, match=r"cannot be written to: .*Not a directory"):
        write_sample(tmp_path / "file" / "below", now=NOW)
    assert files_in(tmp_path) == {"file": b"kept"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dumps": 0}, "a sample has at least 1 of dumps, not 0"),
        ({"users": -1}, "a sample has at least 1 of users, not -1"),
    ],
)
def test_a_sample_of_nothing_is_refused(
    tmp_path: Path, arguments: dict[str, int], said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        write_sample(tmp_path / "export", **arguments, now=NOW)
    assert str(refused.value) == said
    assert list(tmp_path.iterdir()) == []


def test_the_smallest_sample_has_every_table_and_a_chain(tmp_path: Path) -> None:
    summary = write_sample(tmp_path, dumps=1, users=1, now=NOW)
    (dump_id,) = summary.dump_ids
    manifest = parse_manifest((tmp_path / f"manifests/sync_{dump_id}.json").read_bytes())
    assert tuple(dump.table for dump in manifest.tables) == summary.tables
    (path,) = next(dump.files for dump in manifest.tables if dump.table == "user_migrations")
    with (tmp_path / path.removeprefix(BUCKET)).open("rb") as file:
        tracked, signed_up = cast(list[dict[str, int]], list(fastavro.reader(file)))
    assert tracked["to_user_id"] == signed_up["from_user_id"]
