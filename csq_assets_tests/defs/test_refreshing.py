"""What is refreshed, what is left alone, and what `csq_meta` says of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from csq_assets_tests.platform import Platform


def counts(platform: Platform) -> tuple[int, list[tuple[object, ...]]]:
    """How many runs there were, and what `csq_meta.dumps` says."""
    rows = platform.rows("dumps", "csq_meta")
    told = [(row["dump_id"], row["table_name"], row["status"]) for row in rows]
    return platform.instance.get_runs_count(), told


@pytest.mark.edge(65)
def test_a_late_dump_takes_a_name_from_the_table_that_had_it(platform: Platform) -> None:
    platform.deliver(13, tables={"signup": [{"user_id": 1, "event_id": 2}]})
    platform.sync()
    platform.deliver(12, tables={"Signup": [{"user_id": 3, "event_id": 4}]})
    summary = platform.sync()
    (error,) = summary.errors
    assert error.startswith("table signup: its name cannot be told apart")
    assert [(row["user_id"], row["_dump_id"]) for row in platform.rows("Signup")] == [(3, 12)]
    assert [row["event_table_name"] for row in platform.rows("all_events")] == ["Signup"]
    runs, told = counts(platform)
    assert told == [(12, "Signup", "applied"), (13, "signup", "failed")]
    platform.sync()
    assert counts(platform) == (runs, told)


@pytest.mark.edge(65)
def test_a_name_that_skipping_gives_to_another_table_comes_back_with_its_rows(
    platform: Platform,
) -> None:
    tables = {name: [{"user_id": 1, "event_id": 2, "by": name}] for name in ("signup", "Signup")}
    platform.deliver(12, tables=tables)
    seen = []
    for skipped in ("Signup", "signup", "Signup"):
        platform.sync(skip=(skipped,))
        seen += [row["by"] for row in platform.rows("signup")]
    assert seen == ["signup", "Signup", "signup"]


def test_a_skipped_table_stays_as_it_is_and_asks_for_nothing(platform: Platform) -> None:
    migrations = [{"from_user_id": 1, "to_user_id": 2}]
    platform.deliver(12, users=[{"user_id": 1}], user_migrations=migrations)
    platform.deliver(13, notes=[{"user_id": 1}])
    platform.sync()
    runs, told = counts(platform)
    skip = ("users", "user_migrations")
    platform.sync(skip=skip)
    assert counts(platform) == (runs, told)

    platform.deliver(14, notes=[{"user_id": 1}])
    platform.sync(skip=skip)
    assert [row["user_id"] for row in platform.rows("notes")] == [2, 2]
    assert platform.rows("users") == [{"user_id": 2, "_dump_id": 12}]
    assert counts(platform)[1] == [*told, (14, "notes", "applied")]


def test_what_is_delivered_no_more_leaves_csq_meta_once(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.deliver(13, users=[{"user_id": 2}])
    platform.export.report("2026-02-01")
    platform.sync()
    platform.deliver(12)
    platform.export.report("2026-02-01", body=b"{")
    platform.sync()
    runs, told = counts(platform)
    assert told == [(13, "users", "applied")]
    (report,) = platform.rows("sync_reports", "csq_meta")
    assert report["report"] == "sync_reports/2026-03-01.json"
    platform.sync()
    assert counts(platform) == (runs, told)


def test_the_time_of_applying_is_told_though_a_pass_was_killed_before(platform: Platform) -> None:
    platform.deliver(12, users=[{"user_id": 1}])
    platform.sync()
    with duckdb.connect(str(platform.settings.duckdb_path)) as connection:
        connection.execute("DELETE FROM csq_meta.dumps")  # as if killed before it was written
    platform.sync()
    (row,) = platform.rows("dumps", "csq_meta")
    assert row["applied_at"] is not None


def test_tables_are_not_refreshed_against_migrations_that_cannot_be_read(
    platform: Platform,
) -> None:
    platform.deliver(12, user_migrations=[{"from_user_id": 1, "to_user_id": 2}])
    platform.deliver(13, notes=[{"user_id": 1}])
    platform.sync()
    platform.deliver(14, user_migrations=[{"from_user_id": 1, "to_user_id": 3}])
    platform.deliver(15, notes=[{"user_id": 4}])
    platform.sync(skip=("*",))
    with hidden_refresh(platform):
        platform.sync()
    partition = Path(platform.lake.store.location("user_migrations", 14))
    body = partition.read_bytes()
    partition.write_bytes(b"PAR1")
    summary = platform.sync()
    assert summary.exit_code == 1
    assert len(summary.errors) == 2  # of the identity map, and of the table itself
    assert [error.split(",")[0].split(":")[0] for error in summary.errors] == ["dump 14"] * 2
    assert platform.rows("notes") == [{"user_id": 2, "_raw_user_id": 1, "_dump_id": 13}]

    partition.write_bytes(body)
    assert platform.sync().errors == ()
    assert [row["user_id"] for row in platform.rows("notes")] == [3, 4]


@contextmanager
def hidden_refresh(platform: Platform) -> Iterator[None]:
    """The DuckDB file as it was, whatever a sync does to it."""
    path = platform.settings.duckdb_path
    body = path.read_bytes()
    yield
    path.write_bytes(body)
