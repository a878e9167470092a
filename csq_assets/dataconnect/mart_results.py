"""What a build of the marts leaves for whoever reads the lake alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from csq_assets.dataconnect.check_registry import Finding
from csq_assets.dataconnect.relation import Relation
from csq_assets.dataconnect.tables import MART_ASSETS


@dataclass(frozen=True, slots=True)
class MartResults:
    """What dbt did, by asset: the tests that it evaluated, on current tables too, and why a model could
    not be built, nothing where it was. A whole build has the last word on everything, another one on
    what it has looked at."""

    tests: Mapping[str, tuple[Finding, ...]]
    problems: Mapping[str, str]
    is_whole: bool

    def news(self, known: Mapping[str, Relation]) -> Iterator[Relation]:
        """The relations that are other than what is `known` of them, by asset."""
        for asset in sorted({*known, *self.tests, *self.problems}):
            before = known.get(asset, Relation(asset))
            evaluated = self.tests.get(asset, ())
            failing = (one for one in evaluated if not one.passed)
            is_stale = self.is_whole and is_mart(asset)
            problem = self.problems.get(asset, "" if is_stale else before.problem)
            after = replace(
                before, tests=(*self._kept(before, evaluated), *failing), problem=problem
            )
            if after != before:
                yield after

    def _kept(self, before: Relation, evaluated: tuple[Finding, ...]) -> Iterator[Finding]:
        names = {one.check for one in evaluated}
        return (one for one in before.tests if one.check not in names and not self.is_whole)


def is_mart(asset: str) -> bool:
    """Whether it is a model, or all of them."""
    return f"{asset}/".startswith(f"{MART_ASSETS}/")
