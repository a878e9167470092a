"""How things stand, and what of it is news. Values in, values out."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from csq_assets.dataconnect.check_registry import Severity


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is not as it should be, and stays so until it is repaired.

    `subject` names it for people, and tells one from another; the same subject in another `edition`
    is told again. `since`: None where only the first look at it says when. `patience`: how long it must
    stand before it is told. `page`: below the UI's URL.
    """

    subject: str
    said: str
    page: str
    severity: Severity = Severity.ERROR
    since: datetime | None = None
    remedy: str = ""
    edition: str = ""
    patience: timedelta = timedelta(0)

    @property
    def identity(self) -> tuple[str, str]:
        return self.subject, self.edition


@dataclass(frozen=True, slots=True)
class Situation:
    """How things stand: what is not well, and the tables that there are."""

    conditions: tuple[Condition, ...] = ()
    tables: tuple[str, ...] = ()

    def dated(self, earlier: "Situation", now: datetime) -> "Situation":
        """The same, where what stood `earlier` keeps its time, and what is new has begun by now."""
        known = {one.identity: one.since for one in earlier.conditions}
        dated = (
            replace(one, since=known.get(one.identity) or one.since or now)
            for one in self.conditions
        )
        return replace(self, conditions=tuple(dated))

    def worth_telling(self, now: datetime) -> "Situation":
        """Without what has not stood for long enough."""
        old = (one for one in self.conditions if one.since and one.since + one.patience <= now)
        return replace(self, conditions=tuple(old))


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told: what began, errors first; what is over; tables that are new. `standing` is
    what was told before, and still stands."""

    begun: tuple[Condition, ...] = ()
    over: tuple[Condition, ...] = ()
    tables: tuple[str, ...] = ()
    standing: int = 0

    def __bool__(self) -> bool:
        return bool(self.begun or self.over or self.tables)


def compare(told: Situation, present: Situation) -> News:
    """What is news in the present situation to whoever was told of an earlier one.

    No table is new to those who know of none.
    """
    known = {one.identity for one in told.conditions}
    begun = [one for one in present.conditions if one.identity not in known]
    subjects = {one.subject for one in present.conditions}
    return News(
        begun=tuple(sorted(begun, key=lambda one: one.severity is not Severity.ERROR)),
        over=tuple(one for one in told.conditions if one.subject not in subjects),
        tables=tuple(table for table in present.tables if table not in told.tables)
        if told.tables
        else (),
        standing=len(present.conditions) - len(begun),
    )
