"""What builds of the marts leave, one after the other."""

from csq_assets.dataconnect.check_registry import Finding, Severity
from csq_assets.dataconnect.mart_results import MartResults
from csq_assets.dataconnect.relation import Relation

USERS = Relation("csq/current/users", 3, 12)
PUBLISHED = Relation("csq/published/users", problem="the catalog cannot be opened")
KNOWN = {one.asset: one for one in (USERS, PUBLISHED)}
FUNNEL, TIERS = "csq/marts/funnel", "csq/marts/tiers"


def check(name: str, *, passed: bool = False) -> Finding:
    return Finding(name, passed, Severity.ERROR, "")


def after(known: dict[str, Relation], results: MartResults) -> dict[str, Relation]:
    """As the lake keeps it: a relation that says nothing is not there."""
    every = known | {one.asset: one for one in results.news(known)}
    return {asset: one for asset, one in every.items() if one != Relation(asset)}


def test_the_last_whole_build_has_the_last_word() -> None:
    tests = {USERS.asset: (check("few"), check("many", passed=True)), TIERS: (check("known"),)}
    failed = after(KNOWN, MartResults(tests, {FUNNEL: "no such column", TIERS: ""}, is_whole=True))
    assert failed == {
        USERS.asset: Relation(USERS.asset, 3, 12, tests=(check("few"),)),
        PUBLISHED.asset: PUBLISHED,
        TIERS: Relation(TIERS, tests=(check("known"),)),
        FUNNEL: Relation(FUNNEL, problem="no such column"),
    }
    assert after(failed, MartResults({}, {}, is_whole=True)) == KNOWN  # the models are gone


def test_another_build_speaks_of_what_it_has_looked_at() -> None:
    tests = {TIERS: (check("known"), check("unique"))}
    failed = after(KNOWN, MartResults(tests, {FUNNEL: "no such column"}, is_whole=True))
    part = MartResults({TIERS: (check("known", passed=True),)}, {}, is_whole=False)
    assert after(failed, part) == {**failed, TIERS: Relation(TIERS, tests=(check("unique"),))}
    assert FUNNEL not in after(failed, MartResults({}, {FUNNEL: ""}, is_whole=False))
