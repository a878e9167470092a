"""What a publication gives in either format: the rows of DuckDB, written only where they changed."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from csq_assets.errors import NameClashError
from csq_assets.warehouse.publications import unpublished
from csq_assets_tests.publish.published import Publisher
from csq_assets_tests.warehouse.deliveries import delivered

EVENTS = "user_id event_id page"
MANY = [(user, event, f"/{event}") for user in range(100) for event in range(2)]


def test_a_table_reads_as_in_duckdb(publisher: Publisher) -> None:
    publisher.platform.deliver(
        1,
        pageviews=delivered(EVENTS, *MANY, (None, 1, None), (None, 1, None)),
        users=delivered("user_id plan", (1, "free"), (-(2**63), "pro"), (2**63 - 1, "é\n")),
        notes=delivered("text", ("a",), ("a",)),
        nothing=delivered("user_id what"),
        user_migrations=delivered("from_user_id to_user_id", ("7", "8")),
    )
    tables = ("pageviews", "users", "notes", "nothing", "user_migrations", "all_events")
    assert publisher.sync(*tables)[:3] == [(17, 17), (3, 3), (1, 1)]
    for table in tables:
        assert publisher.published(table) == publisher.expected(table)
    assert publisher.publish("user_identity") is not None
    assert publisher.published("user_identity") == publisher.expected("user_identity", "csq_meta")


def test_only_buckets_that_changed_are_written(publisher: Publisher) -> None:
    publisher.platform.deliver(1, pageviews=delivered(EVENTS, *MANY))
    assert publisher.sync("pageviews") == [(16, 16)]
    before = publisher.files("pageviews/data/")
    publisher.platform.deliver(2, pageviews=delivered(EVENTS, (3, 9, "/new"), (3, 10, "/new")))
    assert publisher.sync("pageviews") == [(1, 1)]
    assert len(publisher.files("pageviews/data/") - before) == 1
    publisher.platform.deliver(3, pageviews=delivered(EVENTS))
    assert publisher.sync("pageviews") == [(0, 0)]
    assert publisher.published("pageviews") == publisher.expected("pageviews")


def test_each_format_leaves_the_files_of_the_other_one_alone(iceberg: Publisher) -> None:
    parquet = replace(iceberg, settings=replace(iceberg.settings, publish_format="parquet"))
    formats = (iceberg, parquet, iceberg)
    for dump_id, one in enumerate(formats, start=1):
        iceberg.platform.deliver(dump_id, pageviews=delivered(EVENTS, (dump_id, 1, "/")))
        one.sync("pageviews")
        long_ago = (datetime.now(UTC) - timedelta(days=2)).timestamp()
        for file in Path(str(iceberg.settings.publish_url)).rglob("*.*"):
            os.utime(file, (long_ago, long_ago))
    assert iceberg.published("pageviews") == iceberg.expected("pageviews")
    assert sorted(parquet.frame("pageviews")["user_id"]) == [1, 2]


def test_users_that_merge_leave_a_bucket_and_touch_another(publisher: Publisher) -> None:
    publisher.platform.deliver(1, pageviews=delivered(EVENTS, (1, 1, "/a"), (3, 2, "/b")))
    assert publisher.sync("pageviews") == [(2, 2)]
    publisher.platform.deliver(2, user_migrations=delivered("from_user_id to_user_id", ("1", "3")))
    assert publisher.sync("pageviews") == [(2, 1)]
    assert publisher.published("pageviews") == publisher.expected("pageviews")


def test_columns_come_go_and_come_back_with_their_values(publisher: Publisher) -> None:
    for dump_id, columns, row in (
        (1, "user_id event_id a.b plan", (1, 1, "x", "free")),
        (2, "user_id event_id plan new", (2, 2, "pro", "n")),
        (3, "event_id user_id a.b", (3, 3, "y")),
        (4, "user_id event_id plan a.b it's\"odd", (4, 4, "free", "z", "")),
    ):
        publisher.platform.deliver(dump_id, pageviews=delivered(columns, row))
        publisher.sync("pageviews")
        assert publisher.published("pageviews") == publisher.expected("pageviews")


def test_a_table_that_is_gone_is_removed(publisher: Publisher) -> None:
    publisher.platform.deliver(1, notes=delivered("text", ("a",)))
    publisher.sync("notes")
    publisher.platform.deliver(1, other=delivered("text", ("a",)))
    publisher.platform.sync()
    assert publisher.publish("notes") is None
    assert publisher.files("notes/") == set()
    publisher.platform.deliver(2, notes=delivered("text", ("b",)))
    assert publisher.sync("notes") == [(1, 1)]
    assert publisher.published("notes") == publisher.expected("notes")


def test_a_table_that_gets_users_is_made_anew(publisher: Publisher) -> None:
    publisher.platform.deliver(1, notes=delivered("text", ("a",)))
    publisher.sync("notes")
    publisher.platform.deliver(2, notes=delivered("text user_id", ("b", 5)))
    publisher.sync("notes")
    assert publisher.published("notes") == publisher.expected("notes")
    publisher.platform.deliver(3, notes=delivered("text", ("c",)))
    publisher.sync("notes")
    assert publisher.published("notes") == publisher.expected("notes")


def test_a_purge_leaves_nothing_of_what_was_deleted(publisher: Publisher) -> None:
    secret = (7_777_777_777_777_777, 1, "/of-somebody-who-is-to-be-forgotten")
    publisher.platform.deliver(1, pageviews=delivered(EVENTS, *MANY, secret))
    publisher.sync("pageviews")
    assert secret[2].encode() in publisher.text("pageviews/")
    publisher.platform.deliver(2, pageviews=delivered(EVENTS, *MANY, full_resync=True))
    publisher.platform.sync()
    purged = publisher.purge("pageviews")
    assert purged is not None
    assert (purged.rows, purged.version.standing.dump_id) == (200, 2)
    left = publisher.text("pageviews/")
    assert secret[2].encode() not in left
    assert secret[0].to_bytes(8, "little") not in left
    assert publisher.published("pageviews") == publisher.expected("pageviews")
    assert len(publisher.files("pageviews/data/")) == 16


def test_a_note_says_what_is_published_until_it_changes(publisher: Publisher) -> None:
    publisher.platform.deliver(
        1,
        pageviews=delivered(EVENTS, *MANY),
        notes=delivered("text", ("a",)),
        user_migrations=delivered("from_user_id to_user_id", ("7", "8")),
    ).sync()
    connection = publisher.platform.connection
    with publisher.opened() as publication:
        place = publication.place
    everything = {"pageviews", "notes", "all_events", "user_identity", "user_migrations"}
    assert unpublished(connection, place) == everything
    for table in everything:
        publisher.publish(table)
    assert unpublished(connection, place) == frozenset()
    assert unpublished(connection, "elsewhere") == everything
    publisher.platform.deliver(2, pageviews=delivered(EVENTS, (1, 5, "/"))).sync()
    assert unpublished(connection, place) == {"pageviews", "all_events"}
    publisher.platform.sync_table("notes", rebuild=True)
    assert unpublished(connection, place) == {"pageviews", "all_events", "notes"}
    publisher.platform.deliver(
        3, user_migrations=delivered("from_user_id to_user_id", ("7", "9"))
    ).sync()
    assert "user_identity" in unpublished(connection, place)


def test_what_was_killed_before_its_note_is_published_once(publisher: Publisher) -> None:
    publisher.platform.deliver(1, notes=delivered("text", ("a",)))
    publisher.sync("notes")
    publisher.platform.connection.execute("DELETE FROM csq_ledger.published")
    before = publisher.files("notes/")
    assert publisher.sync("notes") == [(0, 0)]
    assert publisher.files("notes/") == before


def test_names_that_others_cannot_tell_apart_are_refused(publisher: Publisher) -> None:
    publisher.platform.deliver(
        1, {"a-b": delivered("text", ("a",)), "A_b": delivered("text", ("b",))}
    )
    publisher.sync("a-b")
    with pytest.raises(NameClashError, match='cannot tell its name from that of table "a-b"'):
        publisher.publish("A_b")


@pytest.mark.s3
def test_in_a_bucket_it_is_the_same(s3_publisher: Publisher) -> None:
    few = [(user, event, "/") for user in (1, 3) for event in range(5)]
    s3_publisher.platform.deliver(1, pageviews=delivered(EVENTS, *few))
    assert s3_publisher.sync("pageviews") == [(2, 2)]
    s3_publisher.platform.deliver(2, pageviews=delivered(EVENTS, (3, 9, "/new")))
    assert s3_publisher.sync("pageviews") == [(1, 1)]
    assert s3_publisher.published("pageviews") == s3_publisher.expected("pageviews")
    s3_publisher.purge("pageviews")
    assert len(s3_publisher.files("pageviews/data/")) == 2
    assert s3_publisher.published("pageviews") == s3_publisher.expected("pageviews")
