"""What is told, what is not told again, and what is over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from csq_assets.alerts.situation import Condition, News, Situation, compare
from csq_assets.dataconnect.check_registry import Severity

NOON, LATER = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 13, tzinfo=UTC)
FAILED = Condition("dump 12 of csq/raw/users", "truncated", "assets/x", since=NOON)
DRIFT = Condition("csq/raw/users: column_drift", "dump 12 adds x", "assets/y", edition="dump 12")
NULLS = Condition("csq/raw/users: keys_not_null", "1 of 2", "assets/z", Severity.WARN)


def test_everything_is_news_to_who_was_told_nothing_but_the_tables() -> None:
    present = Situation((NULLS, FAILED, DRIFT), ("users", "sessions"))
    assert compare(Situation(), present) == News(begun=(FAILED, DRIFT, NULLS))
    assert not compare(Situation(), Situation((), ("users",)))


def test_what_stands_is_told_once_whatever_it_says_by_then() -> None:
    told = Situation((FAILED, NULLS), ("users",))
    present = Situation((FAILED, replace(NULLS, said="2 of 2")), ("users",))
    assert not compare(told, present)
    with_drift = Situation((FAILED, NULLS, DRIFT), ("users", "sign_up"))
    assert compare(told, with_drift) == News(begun=(DRIFT,), tables=("sign_up",), standing=2)


def test_what_is_gone_is_over_unless_it_came_back_in_another_edition() -> None:
    told = Situation((FAILED, DRIFT))
    assert compare(told, Situation()) == News(over=(FAILED, DRIFT))
    again = replace(DRIFT, said="dump 13 removes x", edition="dump 13")
    assert compare(told, Situation((FAILED, again))) == News(begun=(again,), standing=1)


def test_a_condition_keeps_the_time_at_which_it_was_first_seen() -> None:
    seen = Situation((FAILED, NULLS)).dated(Situation(), NOON)
    assert [one.since for one in seen.conditions] == [NOON, NOON]
    retried = Situation((replace(FAILED, since=LATER), NULLS, DRIFT)).dated(seen, LATER)
    assert [one.since for one in retried.conditions] == [NOON, NOON, LATER]


def test_what_may_pass_by_itself_is_told_once_it_has_stood_for_a_while() -> None:
    pending = replace(NULLS, patience=timedelta(hours=1))
    seen = Situation((pending, FAILED), ("users",)).dated(Situation(), NOON)
    assert seen.worth_telling(LATER - timedelta(seconds=1)) == replace(seen, conditions=(FAILED,))
    assert seen.worth_telling(LATER) == seen
