"""Which columns of a table went, and who depends on them."""

from dataclasses import replace

from csq_assets.dataconnect.check_registry import Finding, Severity
from csq_assets.dataconnect.relation import Relation, without

BEFORE = Relation("csq/current/users", 2, 12, columns=("user_id", "plan", "tier"))
NOW = replace(BEFORE, newest_dump=13, columns=("user_id", "plan"))


def test_a_column_that_the_table_had_is_removed_by_its_newest_dump_and_gone_from_then_on() -> None:
    lost = NOW.after(BEFORE)
    assert (lost.removed, lost.gone) == (("tier",), ("tier",))
    assert NOW.after(lost) == lost  # the same dump, refreshed again
    later = replace(NOW, newest_dump=14).after(lost)
    assert (later.removed, later.gone) == ((), ("tier",))
    back = replace(BEFORE, newest_dump=15).after(later)
    assert (back.removed, back.gone) == ((), ())


def test_of_a_table_that_nobody_could_query_the_manifests_say_what_was_removed() -> None:
    lost = replace(NOW, removed=("tier",)).after(None)
    assert (lost.removed, lost.gone) == (("tier",), ("tier",))


def test_only_columns_that_are_gone_are_missed_in_any_case() -> None:
    lost = NOW.after(BEFORE)
    uses = {"TIER": ("marts/a",), "plan": ("marts/b",)}
    assert lost.with_uses(uses).used == {"tier": ("marts/a",)}
    assert lost.with_uses(uses).with_uses({}) == lost


def test_a_refresh_keeps_the_failing_tests_of_a_dbt_project() -> None:
    failing = (Finding("few", passed=False, severity=Severity.WARN, description="3 results"),)
    assert NOW.after(replace(BEFORE, tests=failing)).tests == failing


def test_names_that_differ_in_case_are_one_column() -> None:
    assert without(("a", "B", "A", "c"), ("b",)) == ("A", "c")
