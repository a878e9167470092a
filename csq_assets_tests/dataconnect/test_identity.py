"""Migrations followed to their end."""

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists, tuples

from csq_assets.dataconnect.identity import IdentityMap, close_pairs

PAIRS = lists(tuples(integers(0, 20), integers(0, 20)), max_size=30)


def test_the_worked_example() -> None:
    pairs = [(11, 20), (20, 30), (12, 31), (12, 30), (40, 41), (41, 40), (50, 50)]
    assert close_pairs(pairs) == IdentityMap({11: 30, 20: 30, 12: 30, 41: 40}, ((40, 41),))


@pytest.mark.edge(54)
def test_a_chain_is_followed_in_whatever_order_its_pairs_come() -> None:
    assert close_pairs([(3, 4), (1, 2), (2, 3)]).final == {1: 4, 2: 4, 3: 4}


@pytest.mark.edge(56)
@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(1, 1)], IdentityMap({})),
        ([(2, 1), (1, 2)], IdentityMap({2: 1}, ((1, 2),))),
        ([(3, 5), (5, 9), (9, 3)], IdentityMap({5: 3, 9: 3}, ((3, 5, 9),))),
        ([(7, 8), (8, 5), (5, 8)], IdentityMap({7: 5, 8: 5}, ((5, 8),))),
        ([(1, 9), (9, 8), (8, 9)], IdentityMap({1: 8, 9: 8}, ((8, 9),))),
    ],
)
def test_cycles_become_their_smallest_id(
    pairs: list[tuple[int, int]], expected: IdentityMap
) -> None:
    assert close_pairs(pairs) == expected


@pytest.mark.edge(57)
def test_of_two_targets_the_last_counts() -> None:
    assert close_pairs([(1, 2), (1, 3)]).final == {1: 3}
    assert close_pairs([(1, 2), (1, 1)]).final == {1: 2}


def test_a_long_chain_needs_no_recursion() -> None:
    identity = close_pairs((number, number + 1) for number in range(100_000))
    assert set(identity.final.values()) == {100_000}


@given(PAIRS)
def test_resolving_twice_changes_nothing(pairs: list[tuple[int, int]]) -> None:
    identity = close_pairs(pairs)
    assert all(identity.resolve(end) == end for end in identity.final.values())


@given(PAIRS)
def test_each_pair_in_force_joins_its_two_ids(pairs: list[tuple[int, int]]) -> None:
    identity = close_pairs(pairs)
    in_force = {start: end for start, end in pairs if start != end}
    assert all(identity.resolve(start) == identity.resolve(end) for start, end in in_force.items())
    assert set(identity.final) <= set(in_force)


@given(PAIRS)
def test_an_end_leads_nowhere_unless_it_is_the_smallest_of_its_cycle(
    pairs: list[tuple[int, int]],
) -> None:
    identity = close_pairs(pairs)
    starts = {start for start, end in pairs if start != end}
    smallest = {cycle[0] for cycle in identity.cycles}
    assert {end for end in identity.final.values() if end in starts} <= smallest
