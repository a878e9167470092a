"""Users that became one: column by column, in the order of precedence."""

from typing import Any

import pytest

from csq_assets_tests.model import Row
from csq_assets_tests.warehouse.deliveries import Platform, delivered

TO_30 = delivered("from_user_id to_user_id", ("11", "30"), ("20", "30"))


def merged(platform: Platform, columns: str, *rows: Any) -> Row:
    """What becomes of these rows of ids 11, 20 and 30, one dump each, all of them one user."""
    for dump_id, row in enumerate(rows, start=12):
        platform.deliver(dump_id, users=delivered(f"user_id {columns}", row))
    platform.deliver(40, user_migrations=TO_30).sync()
    (row,) = platform.rows("users")
    return row


def test_the_users_own_row_counts_first_then_the_newest(platform: Platform) -> None:
    row = merged(
        platform,
        "a b c d",
        (30, "own", None, None, None),
        (11, "older", "older", "older", None),
        (20, "newer", "newer", None, None),
    )
    assert row == {"user_id": 30, "a": "own", "b": "newer", "c": "older", "d": None, "_dump_id": 14}


def test_within_a_dump_the_later_row_counts_first(platform: Platform) -> None:
    platform.deliver(12, users=delivered("user_id a", (11, "first"), (20, "second")))
    platform.deliver(12, users=delivered("user_id a", (11, "first"), (20, "second")))
    platform.deliver(40, user_migrations=TO_30).sync()
    assert platform.rows("users") == [{"user_id": 30, "a": "second", "_dump_id": 12}]


@pytest.mark.edge(41)
def test_a_newer_row_of_one_id_wins_as_a_whole(platform: Platform) -> None:
    platform.deliver(12, users=delivered("user_id a", (11, "old"))).sync()
    platform.deliver(13, users=delivered("user_id a", (11, None))).sync()
    assert platform.rows("users") == [{"user_id": 11, "a": None, "_dump_id": 13}]
    platform.deliver(14, users=delivered("user_id a", (20, None)), user_migrations=TO_30).sync()
    assert platform.rows("users") == [{"user_id": 30, "a": None, "_dump_id": 14}]


@pytest.mark.edge(44, 46)
@pytest.mark.parametrize(
    ("texts", "earliest", "latest"),
    [
        (["1714000000", "1714000000000000", None], "1714000000", "1714000000"),
        (["1714000001", "1714000000000", "2024-04-24 23:06:42"], "1714000000000", None),
        ([None, "2024-04-25", "2024-04-24T23:59:59-00:30"], "2024-04-25", None),
        (["soon", "1714000000", "later"], "1714000000", "1714000000"),
        (["soon", None, "later"], "later", "soon"),
        (["0", "1714000000", None], "0", "1714000000"),
        ([None, None, None], None, None),
    ],
)
def test_joindate_is_the_earliest_and_last_modified_the_latest_instant(
    platform: Platform, texts: list[str | None], earliest: str | None, latest: str | None
) -> None:
    rows = [(user, text, text) for user, text in zip((30, 11, 20), texts, strict=True)]
    row = merged(platform, "joindate last_modified", *rows)
    assert (row["joindate"], row["last_modified"]) == (earliest, latest or texts[2])


@pytest.mark.edge(62)
def test_a_target_without_a_row_gets_one_from_the_others(platform: Platform) -> None:
    platform.deliver(12, users=delivered("user_id a b", (11, "x", None)))
    platform.deliver(13, users=delivered("user_id a b", (20, None, "y")))
    platform.deliver(40, user_migrations=TO_30).sync()
    assert platform.rows("users") == [{"user_id": 30, "a": "x", "b": "y", "_dump_id": 13}]


@pytest.mark.edge(55)
def test_users_part_again_when_their_pair_disappears(platform: Platform) -> None:
    platform.deliver(12, users=delivered("user_id a", (11, "x"), (20, None), (30, None)))
    platform.deliver(13, user_migrations=TO_30).sync()
    assert platform.rows("users") == [{"user_id": 30, "a": "x", "_dump_id": 12}]
    pair = delivered("from_user_id to_user_id", ("20", "30"))
    platform.deliver(14, user_migrations=pair).sync()
    assert platform.rows("users") == [
        {"user_id": 11, "a": "x", "_dump_id": 12},
        {"user_id": 30, "a": None, "_dump_id": 12},
    ]
    audit = platform.deliver(15, user_migrations=delivered("from_user_id to_user_id")).sync()
    assert (audit["users"].users_merged, audit["users"].merged_total) == (-1, 0)
    assert [row["user_id"] for row in platform.rows("users")] == [11, 20, 30]


def test_a_user_that_becomes_another_alone_keeps_its_row(platform: Platform) -> None:
    platform.deliver(12, users=delivered("user_id a", (11, "x"))).sync()
    platform.deliver(13, user_migrations=TO_30).sync()
    assert platform.rows("users") == [{"user_id": 30, "a": "x", "_dump_id": 12}]


def test_a_new_id_of_a_known_user_is_a_new_row_and_replaces_none(platform: Platform) -> None:
    platform.deliver(12, users=delivered("user_id a", (30, "own"))).sync()
    platform.deliver(13, users=delivered("user_id a", (11, "other")), user_migrations=TO_30)
    audit = platform.sync()["users"]
    assert (audit.rows_new, audit.rows_updated, audit.users_merged) == (1, 0, 1)


def test_ids_among_the_columns_are_merged_too(platform: Platform) -> None:
    row = merged(platform, "session_id a", (30, None, "own"), (11, 2**62, None))
    assert row == {"user_id": 30, "session_id": 2**62, "a": "own", "_dump_id": 13}
