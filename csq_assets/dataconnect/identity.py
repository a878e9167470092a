"""Who a user is: migrations followed to their end, cycles named."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdentityMap:
    """Where migrations lead. `final` holds only ids that change.

    `cycles` are the groups of ids that lead to one another, each ascending, lowest group first.
    """

    final: Mapping[int, int]
    cycles: tuple[tuple[int, ...], ...] = ()

    def resolve(self, user_id: int) -> int:
        return self.final.get(user_id, user_id)

    def group_of(self, ids: Iterable[int]) -> frozenset[int]:
        """These ids, and every other that is one user with one of them."""
        users = {self.resolve(user_id) for user_id in ids}
        return frozenset(users).union(ids, (one for one, end in self.final.items() if end in users))


def close_pairs(pairs: Iterable[tuple[int, int]]) -> IdentityMap:
    """Follow migrations, `from` to `to`, to their end.

    `pairs` come in manifest order: of several with one `from`, the last counts. A pair onto itself is
    ignored. Members of a cycle, and what leads into it, all become its smallest id.
    Source: export-format.md, "user_migrations and identity"; contract.md, "Who a user is".
    """
    target = {start: end for start, end in pairs if start != end}
    final: dict[int, int] = {}
    cycles: list[tuple[int, ...]] = []
    for start in target:
        path: dict[int, int] = {}  # id -> its place on the way
        here = start
        while here in target and here not in final and here not in path:
            path[here] = len(path)
            here = target[here]
        if here in path:
            cycle = sorted(list(path)[path[here] :])
            cycles.append(tuple(cycle))
            here = cycle[0]
        end = final.get(here, here)
        final.update(dict.fromkeys(path, end))
    changed = {start: end for start, end in final.items() if start != end}
    return IdentityMap(changed, tuple(sorted(cycles)))
