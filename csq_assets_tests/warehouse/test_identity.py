"""The identity map, and what its changes do to rows that are stored already."""

import polars as pl
import pytest

from csq_assets.dataconnect.audits import IdentityAudit
from csq_assets.warehouse.partition_files import DumpContent
from csq_assets_tests.model import Delivered
from csq_assets_tests.warehouse.deliveries import (
    Platform,
    as_file,
    delivered,
    failed,
    refresh,
    relation,
)


def pairs(*given: tuple[str | None, str | None]) -> Delivered:
    return delivered("from_user_id to_user_id", *given)


def identity(platform: Platform) -> dict[int, int]:
    platform.sync()
    found = relation(platform.connection, "user_identity", "csq_meta").rows
    return {start: end for start, end in found}  # noqa: C416 - a Counter's keys are the pairs


def events(platform: Platform) -> list[tuple[int, int, int]]:
    """(user_id, event_id, _raw_user_id) of every pageview."""
    platform.sync()
    return [
        (row["user_id"], row["event_id"], row["_raw_user_id"]) for row in platform.rows("pageviews")
    ]


@pytest.mark.edge(54)
def test_old_rows_end_at_the_last_id_of_a_chain(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered("user_id event_id", (1, 900), (2, 901), (3, 902)))
    assert events(platform) == [(1, 900, 1), (2, 901, 2), (3, 902, 3)]
    platform.deliver(13, user_migrations=pairs(("1", "2"), ("2", "3")))
    assert events(platform) == [(3, 900, 1), (3, 901, 2), (3, 902, 3)]
    platform.deliver(14, user_migrations=pairs(("1", "2"), ("2", "3"), ("3", "4")))
    assert events(platform) == [(4, 900, 1), (4, 901, 2), (4, 902, 3)]


@pytest.mark.edge(55)
def test_rows_go_back_to_their_delivered_id_and_a_dropped_one_comes_back(
    platform: Platform,
) -> None:
    platform.deliver(12, pageviews=delivered("user_id event_id", (1, 900), (2, 900)))
    platform.deliver(13, user_migrations=pairs(("1", "2")))
    assert events(platform) == [(2, 900, 2)]
    platform.deliver(14, user_migrations=pairs(("1", "3")))
    assert events(platform) == [(2, 900, 2), (3, 900, 1)]
    platform.deliver(15, user_migrations=pairs())
    assert events(platform) == [(1, 900, 1), (2, 900, 2)]


def test_a_row_comes_back_when_the_one_that_beat_it_moves_away(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered("user_id event_id", (2, 900)))
    platform.deliver(13, pageviews=delivered("user_id event_id", (1, 900)))
    platform.deliver(14, user_migrations=pairs(("1", "2")))
    assert events(platform) == [(2, 900, 1)]
    platform.deliver(15, user_migrations=pairs(("1", "3")))
    assert events(platform) == [(2, 900, 2), (3, 900, 1)]
    platform.deliver(16, user_migrations=pairs(("2", "1")))
    assert events(platform) == [(1, 900, 1)]


@pytest.mark.edge(63)
def test_an_event_under_both_ids_is_two_rows_until_the_pair_is_known(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered("user_id event_id", (1, 900)))
    platform.deliver(13, pageviews=delivered("user_id event_id", (2, 900)))
    assert events(platform) == [(1, 900, 1), (2, 900, 2)]
    platform.deliver(14, user_migrations=pairs(("1", "2")))
    assert events(platform) == [(2, 900, 2)]


@pytest.mark.edge(56, 57, 59)
def test_what_is_wrong_with_pairs_is_told(platform: Platform) -> None:
    platform.deliver(
        12,
        user_migrations=pairs(
            ("1", "2"),
            ("2", "1"),
            ("5", "5"),
            ("6", "7"),
            ("6", "8"),
            ("9", "9"),
            ("9", "10"),
            ("abc", "1"),
            (None, "3"),
            ("4", "9223372036854775808"),
            ("11", " 12"),
        ),
    )
    assert platform.sync_identity() == IdentityAudit(
        dump_id=12,
        changed=True,
        users_changed=3,
        users_resolved=3,
        pairs=11,
        refused=4,
        refused_examples=(
            '"abc" → "1"',
            'null → "3"',
            '"4" → "9223372036854775808"',
            '"11" → " 12"',
        ),
        contested=1,
        contested_examples=(6,),
        cycles=1,
        cycle_examples=((1, 2),),
    )
    assert identity(platform) == {2: 1, 6: 8, 9: 10}
    again = platform.sync_identity()
    assert (again.changed, again.users_changed) == (False, 0)
    assert (again.refused, again.cycle_examples) == (4, ((1, 2),))


@pytest.mark.edge(58)
def test_ids_are_integers_however_they_are_spelled(platform: Platform) -> None:
    spelled = pairs(("-7", "007"), ("9007199254740993", "-0"), ("1.0", "2"), ("+3", "4"))
    platform.deliver(12, user_migrations=spelled)
    assert identity(platform) == {-7: 7, 9007199254740993: 0}


@pytest.mark.edge(60, 61)
def test_the_newest_migrations_replace_those_before(platform: Platform) -> None:
    platform.deliver(12, user_migrations=pairs(("1", "2")))
    platform.deliver(13)
    assert identity(platform) == {1: 2}
    platform.deliver(14, user_migrations=pairs(("3", "4")))
    assert identity(platform) == {3: 4}
    assert platform.rows("user_migrations") == [
        {"from_user_id": "3", "to_user_id": "4", "_dump_id": 14}
    ]
    platform.deliver(15, user_migrations=failed("from_user_id to_user_id"))
    assert identity(platform) == {3: 4}
    platform.deliver(16, user_migrations=pairs())
    assert identity(platform) == {}


def test_a_dump_that_lacks_the_columns_has_pairs_that_cannot_be_cast(platform: Platform) -> None:
    platform.deliver(12, user_migrations=delivered("place time", ("x", "0"), ("y", "0")))
    audit = platform.sync_identity()
    assert (audit.pairs, audit.refused, audit.refused_examples[:1]) == (2, 2, ("null → null",))


def test_without_migrations_nobody_is_merged(platform: Platform) -> None:
    assert platform.sync_identity() == IdentityAudit()
    platform.deliver(12, user_migrations=pairs(("1", "2")))
    assert identity(platform) == {1: 2}
    platform.deliver(12)
    assert platform.sync_identity() == IdentityAudit(changed=True, users_changed=1)
    assert identity(platform) == {}


def test_only_rows_of_users_that_changed_are_touched(platform: Platform) -> None:
    rows = [(user, user) for user in range(100)]
    platform.deliver(12, pageviews=delivered("user_id event_id", *rows)).sync()
    platform.deliver(13, user_migrations=pairs(("1", "2"), ("3", "2"), ("777", "778")))
    assert platform.sync()["pageviews"].rows_reresolved == 2
    platform.deliver(14, user_migrations=pairs(("1", "2"), ("3", "4")))
    assert platform.sync()["pageviews"].rows_reresolved == 1


def test_where_most_of_a_large_table_moves_it_is_replayed(platform: Platform) -> None:
    frame = pl.select(
        (pl.int_range(150_000) % 10).alias("user_id"),
        pl.int_range(150_000).alias("event_id"),
        pl.lit(12, dtype=pl.Int64).alias("_dump_id"),
    )
    dump = DumpContent(12, "large", lambda: ("user_id", "event_id"), lambda: as_file(frame))
    refresh(platform.connection, "pageviews", [dump])
    few = pairs(*[(str(user), "77") for user in range(5)])
    most = pairs(*[(str(user), "78") for user in range(9)])
    changes = []
    for dump_id, migrations in ((12, few), (13, most)):
        platform.deliver(dump_id, user_migrations=migrations).sync()
        changes.append(refresh(platform.connection, "pageviews", [dump]).change)
    assert changes == ["appended", "replayed"]
    users = platform.connection.execute(
        "SELECT user_id, count(*) FROM csq.pageviews GROUP BY user_id ORDER BY user_id"
    ).fetchall()
    assert users == [(9, 15_000), (78, 135_000)]


def test_a_table_that_was_left_out_catches_up(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered("user_id event_id", (1, 900), (2, 901)))
    platform.sync()
    for dump_id, end in ((13, "5"), (14, "6"), (15, "7")):
        platform.deliver(dump_id, user_migrations=pairs(("1", end), ("2", "2")))
        platform.sync_identity()
        platform.sync_table("user_migrations")
    assert platform.sync_table("pageviews").rows_reresolved == 1
    assert events(platform) == [(2, 901, 2), (7, 900, 1)]
    platform.deliver(16, user_migrations=pairs(("1", "7"), ("2", "8")))
    assert events(platform) == [(7, 900, 1), (8, 901, 2)]
    left = platform.connection.execute("SELECT user_id FROM csq_ledger.identity_changes").fetchall()
    assert left == [(2,)]  # what every table has followed is forgotten


def test_changes_are_kept_until_the_last_table_has_followed_them(platform: Platform) -> None:
    platform.deliver(12, pageviews=delivered("user_id event_id", (1, 900), (2, 901)))
    platform.sync()
    for dump_id, migrations in ((13, [("1", "5")]), (14, [("1", "5"), ("2", "6")])):
        platform.deliver(dump_id, user_migrations=pairs(*migrations))
        platform.sync_identity()
        platform.sync_table("user_migrations")  # this table follows, pageviews does not yet
    assert platform.sync_table("pageviews").rows_reresolved == 2
    assert events(platform) == [(5, 900, 1), (6, 901, 2)]


def test_rebuilding_the_map_finds_what_was_there(platform: Platform) -> None:
    platform.deliver(12, user_migrations=pairs(("1", "2")))
    platform.sync()
    audit = platform.sync_identity(rebuild=True)
    assert (audit.changed, audit.users_resolved) == (False, 1)
    platform.connection.execute("DELETE FROM csq_meta.user_identity")
    assert platform.sync_identity(rebuild=True).users_changed == 1
    assert identity(platform) == {1: 2}
