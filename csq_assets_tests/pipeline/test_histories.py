"""After each pass of a random history the warehouse is what a replay from nothing gives."""

from pathlib import Path

import pytest

from csq_assets_tests.model import Delivered
from csq_assets_tests.pipeline.harness import Harness
from csq_assets_tests.pipeline.histories import (
    History,
    HistoryOfFailures,
    HistoryOfForgotten,
    HistoryOfMigrations,
    check,
)


def test_all_tables_are_behind_a_map_that_is_older_than_its_list(tmp_path: Path) -> None:
    harness = Harness(tmp_path)
    pairs = Delivered(
        ("from_user_id", "to_user_id"),
        ({"from_user_id": "6", "to_user_id": "1"},),
        incremental=False,
    )
    notes = Delivered(("user_id", "event_id"), ({"user_id": 6, "event_id": 1},), incremental=True)
    harness.deliver(8, {"notes": notes, "user_migrations": pairs})
    harness.sync()
    nobody = Delivered(pairs.columns, (), incremental=False)
    harness.deliver(13, {"user_migrations": nobody})
    harness.decode([(13, "user_migrations")] if harness.plan_decoding().decode else [])
    harness.refresh(["user_migrations"])  # as a person may, or a run that is killed
    assert harness.plan_refresh().tables == ("notes", "user_migrations")
    harness.sync()


@pytest.mark.slow
@pytest.mark.edge(40, 58, 60)
def test_tables_that_follow_an_identity_map_late_end_alike() -> None:
    check(HistoryOfMigrations, percent=12)


@pytest.mark.slow
@pytest.mark.edge(4, 5, 7, 14, 15, 16, 40, 49, 53, 55, 58, 60, 61)
def test_every_pass_ends_where_a_replay_from_nothing_ends() -> None:
    check(History, percent=15)


@pytest.mark.slow
def test_who_is_forgotten_was_never_delivered() -> None:
    check(HistoryOfForgotten, percent=8)


@pytest.mark.slow
@pytest.mark.edge(7, 50, 51)
def test_what_stops_being_void_is_decoded_in_the_same_pass() -> None:
    check(HistoryOfFailures, percent=15)
