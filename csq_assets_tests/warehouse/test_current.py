"""Current tables, delivery by delivery: which dumps count, which rows, which columns."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from csq_assets.dataconnect.audits import TableAudit
from csq_assets.dataconnect.tables import TableKind
from csq_assets.errors import StorageError
from csq_assets.warehouse.deduplication import Deduplication
from csq_assets.warehouse.engine import insert_rows
from csq_assets.warehouse.partition_files import DumpContent
from csq_assets.warehouse.scratch import TABLE_SCRATCH, scratch
from csq_assets.warehouse.table_refresh import drop_table
from csq_assets_tests import model
from csq_assets_tests.warehouse.deliveries import (
    Platform,
    as_file,
    content,
    delivered,
    failed,
    partition,
    refresh,
    relation,
    relations,
)

PATHS = "user_id event_id path"


def paths(platform: Platform, table: str = "pageviews") -> list[tuple[Any, ...]]:
    """(user_id, event_id, path, _raw_user_id, _dump_id) of every row."""
    return sorted(relation(platform.connection, table).rows.elements(), key=repr)


def test_the_worked_example(platform: Platform) -> None:
    pairs = [(11, 20), (20, 30), (12, 31), (12, 30), (40, 41), (41, 40), (50, 50)]
    platform.deliver(
        100,
        pageviews=delivered(PATHS, (11, 900, "/a"), (12, 901, "/b"), (60, 900, "/z")),
        users=delivered(
            "user_id joindate email identity",
            (11, "1714000000000000", None, None),
            (20, "1714500000000000", "a@x", None),
            (30, "1714700000000000", None, "ana"),
        ),
    ).deliver(
        101,
        pageviews=delivered(PATHS, (30, 900, "/a?x=1"), (41, 902, "/c")),
        user_migrations=delivered(
            "from_user_id to_user_id", *[(str(start), str(end)) for start, end in pairs]
        ),
    ).sync()
    assert paths(platform) == [
        (30, 900, "/a?x=1", 30, 101),
        (30, 901, "/b", 12, 100),
        (40, 902, "/c", 41, 101),
        (60, 900, "/z", 60, 100),
    ]
    assert platform.rows("users") == [
        {
            "user_id": 30,
            "joindate": "1714000000000000",
            "email": "a@x",
            "identity": "ana",
            "_dump_id": 100,
        }
    ]
    identity = relation(platform.connection, "user_identity", "csq_meta").rows
    assert sorted(identity) == [(11, 30), (12, 30), (20, 30), (41, 40)]


@pytest.mark.edge(36)
@pytest.mark.parametrize("order", [(12, 13), (13, 12)])
def test_the_row_of_the_higher_dump_wins_whichever_came_first(
    platform: Platform, order: tuple[int, int]
) -> None:
    for dump_id in order:
        platform.deliver(dump_id, pageviews=delivered(PATHS, (1, 900, f"/{dump_id}"))).sync()
    assert paths(platform) == [(1, 900, "/13", 1, 13)]


@pytest.mark.edge(37)
def test_within_a_dump_the_later_row_wins(platform: Platform) -> None:
    rows = [(1, 900, f"/{number}") for number in range(5)]
    platform.deliver(12, pageviews=delivered(PATHS, *rows)).sync()
    assert paths(platform) == [(1, 900, "/4", 1, 12)]


@pytest.mark.edge(4)
def test_dumps_are_numbers(platform: Platform) -> None:
    for dump_id in (852, 1_008_461_850, 9):
        platform.deliver(dump_id, pageviews=delivered(PATHS, (1, 900, str(dump_id)))).sync()
    assert paths(platform) == [(1, 900, "1008461850", 1, 1_008_461_850)]


@pytest.mark.edge(38)
def test_one_event_in_two_tables_is_two_events(platform: Platform) -> None:
    platform.deliver(
        12,
        pageviews=delivered("user_id event_id session_id time", (1, 900, 5, "t")),
        signup=delivered("event_id user_id", (900, 1)),
    ).sync()
    events = relation(platform.connection, "all_events")
    assert events.columns == (
        "user_id",
        "event_id",
        "session_id",
        "time",
        "event_table_name",
        "_dump_id",
    )
    assert sorted(events.rows, key=repr) == [
        (1, 900, 5, "t", "pageviews", 12),
        (1, 900, None, None, "signup", 12),
    ]


@pytest.mark.edge(39)
def test_one_event_id_under_two_people_is_two_rows(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/a"), (2, 900, "/b"))).sync()
    assert paths(platform) == [(1, 900, "/a", 1, 12), (2, 900, "/b", 2, 12)]


@pytest.mark.edge(40)
def test_rows_with_a_null_in_their_key_are_all_kept(platform: Platform) -> None:
    rows = [(None, 900, "/a"), (None, 900, "/a"), (1, None, "/b"), (1, None, "/b")]
    for dump_id in (12, 13):
        platform.deliver(dump_id, pageviews=delivered(PATHS, *rows)).sync()
    assert len(paths(platform)) == 8


@pytest.mark.edge(42)
def test_nothing_is_invented(platform: Platform) -> None:
    platform.deliver(
        12,
        users=delivered("user_id", (1,)),
        sessions=delivered("user_id session_id", (2, 7)),
        pageviews=delivered(PATHS, (3, 900, "/")),
    ).sync()
    assert platform.rows("users") == [{"user_id": 1, "_dump_id": 12}]
    assert platform.rows("sessions") == [
        {"user_id": 2, "session_id": 7, "_raw_user_id": 2, "_dump_id": 12}
    ]
    assert paths(platform) == [(3, 900, "/", 3, 12)]


@pytest.mark.edge(43)
def test_a_table_without_a_key_appends_until_a_full_resync(platform: Platform) -> None:
    platform.deliver(12, notes=delivered("user_id text", (1, "a"), (1, "a"))).sync()
    platform.deliver(13, notes=delivered("user_id text", (1, "a"))).sync()
    assert [row["_dump_id"] for row in platform.rows("notes")] == [12, 12, 13]
    platform.deliver(14, notes=delivered("user_id text", (2, "b"), full_resync=True)).sync()
    assert platform.rows("notes") == [
        {"user_id": 2, "text": "b", "_raw_user_id": 2, "_dump_id": 14}
    ]


@pytest.mark.edge(5)
def test_a_late_increment_takes_its_numeric_place_without_a_replay(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/12"), (1, 901, "/12"))).sync()
    platform.deliver(14, pageviews=delivered(PATHS, (1, 900, "/14"))).sync()
    platform.deliver(13, pageviews=delivered(PATHS, (1, 900, "/13"), (1, 901, "/13")))
    assert platform.sync()["pageviews"].change == "appended"
    assert paths(platform) == [(1, 900, "/14", 1, 14), (1, 901, "/13", 1, 13)]


@pytest.mark.edge(6, 53)
def test_the_same_again_changes_nothing(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/")))
    assert platform.sync()["pageviews"].change == "replayed"
    assert platform.sync()["pageviews"] == TableAudit("pageviews", rows_delivered=1, rows_kept=1)


@pytest.mark.edge(7)
def test_a_re_delivery_replaces_the_whole_of_what_the_dump_was(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/old"), (1, 901, "/x"))).sync()
    platform.deliver(13, pageviews=delivered(PATHS, (1, 900, "/new"))).sync()
    platform.deliver(13, pageviews=delivered(PATHS, (1, 902, "/again"))).sync()
    assert paths(platform) == [
        (1, 900, "/old", 1, 12),
        (1, 901, "/x", 1, 12),
        (1, 902, "/again", 1, 13),
    ]
    platform.deliver(13, notes=delivered("text", ("only notes",))).sync()
    assert paths(platform) == [(1, 900, "/old", 1, 12), (1, 901, "/x", 1, 12)]


@pytest.mark.edge(14, 15, 16)
def test_empty_deliveries(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/"))).sync()
    platform.deliver(13).sync()
    platform.deliver(14, pageviews=delivered("user_id event_id path title")).sync()
    assert platform.rows("pageviews") == [
        {
            "user_id": 1,
            "event_id": 900,
            "path": "/",
            "title": None,
            "_raw_user_id": 1,
            "_dump_id": 12,
        }
    ]
    platform.deliver(15, pageviews=delivered(PATHS, full_resync=True)).sync()
    assert relation(platform.connection, "pageviews") == model.Relation(
        ("user_id", "event_id", "path", "_raw_user_id", "_dump_id")
    )


@pytest.mark.edge(47, 48, 71)
def test_a_full_resync_restarts_one_table(platform: Platform) -> None:
    platform.deliver(
        12, pageviews=delivered(PATHS, (1, 900, "/")), signup=delivered(PATHS, (1, 901, "/"))
    ).sync()
    platform.deliver(
        40,
        pageviews=delivered(PATHS, (2, 902, "/"), full_resync=True),
        signup=delivered(PATHS, (2, 903, "/")),
    ).sync()
    assert paths(platform) == [(2, 902, "/", 2, 40)]
    assert paths(platform, "signup") == [(1, 901, "/", 1, 12), (2, 903, "/", 2, 40)]


@pytest.mark.edge(50)
def test_increments_behind_a_gap_are_held_until_it_is_repaired(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/12"))).sync()
    platform.deliver(13, pageviews=failed(PATHS)).sync()
    platform.deliver(14, pageviews=delivered(PATHS, (1, 900, "/14"))).sync()
    assert paths(platform) == [(1, 900, "/12", 1, 12)]
    platform.deliver(13, pageviews=delivered(PATHS, (1, 901, "/13"))).sync()
    assert paths(platform) == [(1, 900, "/14", 1, 14), (1, 901, "/13", 1, 13)]


def test_a_late_dump_that_fails_takes_the_increments_after_it_away(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/12"))).sync()
    platform.deliver(14, pageviews=delivered(PATHS, (1, 900, "/14"))).sync()
    platform.deliver(13, pageviews=failed(PATHS)).sync()
    assert paths(platform) == [(1, 900, "/12", 1, 12)]
    platform.deliver(11, pageviews=failed(PATHS))
    assert platform.sync()["pageviews"].change == "dropped"
    assert relations(platform.connection) == {}
    assert relation(platform.connection, "all_events").rows.total() == 0


@pytest.mark.edge(51, 52)
def test_a_full_resync_makes_a_gap_void_and_is_one_if_it_fails(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/12"))).sync()
    platform.deliver(13, pageviews=failed(PATHS)).sync()
    platform.deliver(14, pageviews=delivered(PATHS, (1, 901, "/14"), full_resync=True)).sync()
    assert paths(platform) == [(1, 901, "/14", 1, 14)]
    platform.deliver(15, pageviews=failed(PATHS, full_resync=True)).sync()
    platform.deliver(16, pageviews=delivered(PATHS, (1, 902, "/16"))).sync()
    assert paths(platform) == [(1, 901, "/14", 1, 14)]


@pytest.mark.edge(49)
def test_without_a_full_dump_all_increments_are_the_table(platform: Platform) -> None:
    for dump_id in (12, 13, 14):
        platform.deliver(dump_id, pageviews=delivered(PATHS, (1, dump_id, "/")))
    platform.sync()
    assert [row[1] for row in paths(platform)] == [12, 13, 14]


@pytest.mark.edge(68)
def test_an_event_table_is_one_by_its_columns_as_long_as_it_has_them(platform: Platform) -> None:
    platform.deliver(12, page_views=delivered(PATHS, (1, 900, "/a"), (1, 900, "/b"))).sync()
    platform.deliver(12, _event_metadata=delivered("name event_id", ("x", 1), ("x", 1)))
    platform.deliver(13, page_views=delivered(PATHS, (1, 900, "/c"))).sync()
    assert paths(platform, "page_views") == [(1, 900, "/c", 1, 13)]
    platform.deliver(14, page_views=delivered("user_id path", (1, "/d"))).sync()
    assert [row["path"] for row in platform.rows("page_views")] == ["/c", "/d"]
    assert relation(platform.connection, "all_events").rows.total() == 0


def test_what_a_refresh_did_is_told_in_numbers(platform: Platform) -> None:
    platform.deliver(
        12,
        pageviews=delivered(PATHS, (1, 900, "/"), (1, 900, "/"), (2, 900, "/"), (3, 901, "/")),
        users=delivered("user_id", (1,), (2,), (3,)),
    )
    audits = platform.sync()
    assert audits["pageviews"] == TableAudit(
        "pageviews",
        change="replayed",
        rows_in=4,
        rows_new=3,
        duplicates_dropped=1,
        rows_delivered=4,
        rows_kept=3,
        duplicates_total=1,
        audited_all=True,
    )
    platform.deliver(
        13,
        pageviews=delivered(PATHS, (1, 900, "/"), (1, 902, "/"), (1, 902, "/")),
        users=delivered("user_id", (3,), (4,)),
        user_migrations=delivered("from_user_id to_user_id", ("2", "1")),
    )
    audits = platform.sync()
    assert audits["pageviews"] == TableAudit(
        "pageviews",
        change="appended",
        rows_in=3,
        rows_new=1,
        rows_updated=1,
        rows_reresolved=1,
        duplicates_dropped=3,
        rows_delivered=7,
        rows_kept=3,
        duplicates_total=4,
    )
    assert audits["users"] == TableAudit(
        "users",
        change="appended",
        rows_in=2,
        rows_new=1,
        rows_updated=1,
        rows_reresolved=1,
        duplicates_dropped=1,
        users_merged=1,
        rows_delivered=5,
        rows_kept=3,
        duplicates_total=1,
        merged_total=1,
    )
    assert audits["pageviews"].unaccounted == 0
    assert audits["users"].unaccounted == 0


def test_a_hidden_row_that_is_touched_again_is_counted_once(platform: Platform) -> None:
    platform.deliver(
        12,
        pageviews=delivered(PATHS, (1, 900, "/1"), (2, 900, "/2")),
        user_migrations=delivered("from_user_id to_user_id", ("1", "2")),
    )
    assert platform.sync()["pageviews"].duplicates_total == 1
    platform.deliver(13, pageviews=delivered(PATHS, (2, 900, "/3")))
    audit = platform.sync()["pageviews"]
    assert audit == TableAudit(
        "pageviews",
        change="appended",
        rows_in=1,
        rows_updated=1,
        duplicates_dropped=1,
        rows_delivered=3,
        rows_kept=1,
        duplicates_total=2,
    )
    assert audit.unaccounted == 0


def test_a_key_that_occurs_twice_is_found(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/"), (2, 901, "/"))).sync()
    platform.connection.execute(
        'INSERT INTO csq_rows."pageviews" SELECT * EXCLUDE (user_id) FROM csq_rows."pageviews"'
    )
    platform.connection.execute(
        'UPDATE csq_rows."pageviews" SET ordinal = ordinal + 10 WHERE rowid > 1'
    )
    platform.deliver(13, pageviews=delivered(PATHS, (3, 902, "/")))
    audit = platform.sync()["pageviews"]
    assert (audit.duplicated_keys, audit.unaccounted) == (0, -2)  # not among the keys touched
    rebuilt = platform.sync(rebuild=True)["pageviews"]
    assert (rebuilt.duplicated_keys, rebuilt.unaccounted) == (0, 0)
    assert len(paths(platform)) == 3


@pytest.mark.parametrize(
    ("arriving", "touched", "replayed", "expected"),
    [
        (13, (0, 2), False, 1),
        (13, (0, 1), False, 0),
        (12, (), False, 2),
        (12, (0, 2), True, 2),
    ],
)
def test_keys_that_more_than_one_row_has_are_counted(
    platform: Platform, *, arriving: int, touched: tuple[int, ...], replayed: bool, expected: int
) -> None:
    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/"), (2, 901, "/"))).sync()
    rules = Deduplication(platform.connection, "pageviews", TableKind.EVENTS, replayed=replayed)
    with scratch(platform.connection, TABLE_SCRATCH):
        platform.connection.execute(
            "INSERT INTO csq_rows.pageviews SELECT * EXCLUDE (user_id) FROM csq_rows.pageviews"
        )
        insert_rows(platform.connection, "arriving", [(None, None, None, None, arriving, None)])
        addresses = [(address, *[None] * 6) for address in touched]
        insert_rows(platform.connection, "touched_rows", addresses)
        assert rules.finish({}).duplicated_keys == expected


def test_only_dumps_that_are_new_are_read(platform: Platform) -> None:
    first = content(12, delivered(PATHS, (1, 900, "/12")))
    refresh(platform.connection, "pageviews", [first])

    def refuse() -> Any:
        raise AssertionError("dump 12 was read again")

    unread = DumpContent(12, first.content, refuse, refuse)
    second = content(13, delivered(PATHS, (1, 901, "/13")))
    refresh(platform.connection, "pageviews", [unread, second])
    assert paths(platform) == [(1, 900, "/12", 1, 12), (1, 901, "/13", 1, 13)]


def damage(path: Path) -> None:
    """Overwrite the middle of each page, which DuckDB notices as it unpacks it."""
    body = bytearray(path.read_bytes())
    body[200:-2000:50] = b"\xff" * len(body[200:-2000:50])
    path.write_bytes(body)


LOST = {
    "deleted": (Path.unlink, "No such file|No files found"),
    "cut": (lambda path: os.truncate(path, path.stat().st_size // 2), "must end with PAR1"),
    "of another kind": (lambda path: path.write_bytes(b"PAR1" * 99), "footer size must be smaller"),
    "damaged": (damage, "cannot read the partition in the lake: .+"),
    "with text for ids": (
        lambda path: pl.read_parquet(path).cast(pl.String).write_parquet(path),
        "its columns have other types than csq_assets writes",
    ),
}


@pytest.mark.edge(53)
@pytest.mark.parametrize("readable", [0, 1])
@pytest.mark.parametrize("harm", LOST)
def test_a_partition_that_is_lost_leaves_everything_as_it_was(
    platform: Platform, harm: str, readable: int
) -> None:
    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/12"))).sync()
    before = paths(platform)
    good = content(13, delivered("user_id event_id path title", (1, 900, "/13", "new")))
    lost = breaking(LOST[harm][0], readable=readable)
    with pytest.raises(StorageError, match=LOST[harm][1]) as raised:
        refresh(platform.connection, "pageviews", [*platform.in_force("pageviews"), good, lost])
    assert raised.value.where == {"dump": 14}
    assert raised.value.message.startswith("cannot read the partition in the lake: ")
    assert paths(platform) == before
    assert platform.sync()["pageviews"].change == "unchanged"
    temporary = platform.connection.execute("FROM duckdb_tables() WHERE temporary").fetchall()
    assert temporary == []


@pytest.mark.edge(53)
def test_a_bug_leaves_everything_as_it_was(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/12"))).sync()
    before = paths(platform)

    def crash() -> Any:
        raise KeyboardInterrupt

    crashing = DumpContent(13, "x", lambda: tuple(PATHS.split()), crash)
    with pytest.raises(KeyboardInterrupt):
        refresh(platform.connection, "pageviews", [crashing])
    assert paths(platform) == before
    platform.deliver(14, pageviews=delivered(PATHS, (2, 901, "/14"))).sync()
    assert paths(platform) == [*before, (2, 901, "/14", 2, 14)]


def test_a_partition_that_changes_between_the_passes_is_refused(platform: Platform) -> None:
    rows = [(number, number, "/") for number in range(3)]
    dumps = [content(12, delivered(PATHS, *rows)), breaking(keep_one_row, readable=1)]
    with pytest.raises(StorageError) as raised:
        refresh(platform.connection, "pageviews", dumps)
    assert str(raised.value) == (
        "dump 14: the partition was replaced while it was read. Run csq sync again."
    )
    assert relations(platform.connection) == {}


def keep_one_row(path: Path) -> None:
    pl.read_parquet(path).head(1).write_parquet(path)


@pytest.mark.edge(53)
def test_a_reader_sees_the_table_before_or_after(platform: Platform) -> None:
    reader = platform.connection.cursor()
    seen = []

    @contextmanager
    def parquet() -> Iterator[Path]:
        with content(13, delivered(PATHS, (1, 900, "/13"))).parquet() as path:
            yield path
            seen.append(sorted(reader.execute("SELECT path FROM csq.pageviews").fetchall()))

    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/12"))).sync()
    while_refreshing = DumpContent(13, "x", lambda: tuple(PATHS.split()), parquet)
    refresh(platform.connection, "pageviews", [*platform.in_force("pageviews"), while_refreshing])
    seen.append(reader.execute("SELECT path FROM csq.pageviews").fetchall())
    assert seen == [[("/12",)], [("/13",)]]


def test_a_table_can_be_taken_away(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered(PATHS, (1, 900, "/"))).sync()
    assert drop_table(platform.connection, "pageviews").change == "dropped"
    assert drop_table(platform.connection, "pageviews").change == "unchanged"
    with pytest.raises(duckdb.CatalogException):
        platform.rows("pageviews")
    assert platform.sync()["pageviews"].change == "replayed"
    assert paths(platform) == [(1, 900, "/", 1, 12)]


def breaking(harm: Callable[[Path], Any], *, readable: int) -> DumpContent:
    """A dump whose partition can be read so many times, and is harmed then."""
    table = delivered(PATHS, *[(5, event, f"/{event * 7919 % 1009}") for event in range(2000)])
    whole = partition(14, table.columns, table.rows or ())
    left = iter(range(readable))

    @contextmanager
    def parquet() -> Iterator[Path]:
        with as_file(whole) as path:
            if next(left, None) is None:
                harm(path)
            yield path

    return DumpContent(14, "lost", lambda: table.columns, parquet)
