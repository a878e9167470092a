"""What counts as half done, for those who read after a kill."""

from csq_assets_tests.torture.state import odd

USERS, EVENTS, DUMPS = 'csq."users"', 'csq."all_events"', "csq_meta.dumps"
BEFORE = {USERS: ["a"], EVENTS: ["x"], DUMPS: ["(1, 'applied')"]}
AFTER = {USERS: ["b", "c"], EVENTS: ["x", "y"], DUMPS: ["(1, 'void')", "(2, 'applied')"]}


def test_each_table_is_as_before_or_as_after() -> None:
    assert list(odd(BEFORE, BEFORE, AFTER)) == list(odd(AFTER, BEFORE, AFTER)) == []
    mixed = {USERS: ["a"], EVENTS: ["y"], DUMPS: ["(1, 'applied')", "(2, 'failed')"]}
    assert list(odd(mixed, BEFORE, AFTER)) == []


def test_a_table_in_between_is_half_done() -> None:
    shown = {USERS: ["b"], EVENTS: ["z"], DUMPS: ["(3, 'applied')"], 'csq."stray"': ["q"]}
    names = [line.partition(" ")[0] for line in odd(shown, BEFORE, AFTER)]
    assert names == [EVENTS, 'csq."stray"', USERS, DUMPS]
    assert list(odd({}, BEFORE, AFTER)) == [f"{name} is gone" for name in (EVENTS, USERS, DUMPS)]
