"""The one source of randomness: the same numbers give the same course of events."""

from random import Random

_BITS = 40  # for each number; more would only be slower


def seeded(seed: int, *numbers: int) -> Random:
    """A source of its own for each `seed` and `numbers`, none of them below 0 but the seed."""
    for number in numbers:
        seed = (seed << _BITS) + number + 1
    return Random(seed)  # noqa: S311  # made-up people keep no secrets
