"""Who visits: few often and many seldom; first anonymous, some sign up and change their id.

A person follows from the seed and their number alone, so nobody has to be kept in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from csq_assets.sample.chance import seeded
from csq_assets.sample.schedule import HOUR, Schedule

_FIRST_NAMES = ("Ana", "Bo", "Chidi", "Dalia", "Emre", "Fumiko", "Gus", "Hana", "Ines", "José")
_LAST_NAMES = ("Abe", "Blum", "Costa", "Dietz", "Eriksen", "Ferrari", "Gallo", "Haddad", "Ito")
_COMPANIES = ("Acorn", "Birch & Co", "Cedar", "Dogwood", "Elm", "Fir")
_COUNTRIES = (
    ("Germany", "Berlin"),
    ("France", "Paris"),
    ("United States", "Austin"),
    ("Japan", ""),
)
_DEVICES = (
    ("Desktop", "Chrome 141", "Windows 11"),
    ("Desktop", "Safari 26", "macOS 26"),
    ("Mobile", "Safari 26", "iOS 26"),
    ("Mobile", "Chrome 141", "Android 16"),
)
_PLANS = ("free", "free", "free", "team", "enterprise")
_ROLES = ("buyer", "developer", "owner", None)

_MOST_VISITS_PER_DAY = 3.0
_LEAST_VISITS_PER_DAY = 0.01
_EVENNESS = 0.9  # of visits over people: the lower, the more a few do

_JOIN_AFTER_FIRST_DUMP = 0.12
_SIGN_UP = 0.42
_SIGN_UP_IN_FIRST_DUMP = 0.65
_RENAME = 0.18
_SECOND_DEVICE = 0.25


@dataclass(frozen=True, slots=True)
class Person:
    """One human being, and the ids under which they are delivered as time goes by."""

    number: int
    joined: int
    tracker_id: int
    second_joined: int | None  # another device, anonymous until they log in there
    second_login: int | None
    second_tracker_id: int
    signed_up: int | None
    signed_up_id: int
    renamed: int | None  # the company moves to single sign-on: the id changes once more
    renamed_id: int
    visits_per_day: float
    first_name: str
    last_name: str
    company: str
    role: str | None
    plan: str
    country: str
    city: str
    device_type: str
    browser: str
    platform: str

    def id_at(self, instant: int, *, on_second: bool = False) -> int:
        """The id under which they were tracked at that time."""
        if on_second and self.second_login is not None and instant < self.second_login:
            return self.second_tracker_id
        if self.renamed is not None and instant >= self.renamed:
            return self.renamed_id
        if self.signed_up is not None and instant >= self.signed_up:
            return self.signed_up_id
        return self.tracker_id

    def has_second(self, instant: int) -> bool:
        return self.second_joined is not None and instant >= self.second_joined

    def is_known_as(self, user_id: int) -> bool:
        """Whether that id is one given by `identify`, rather than by the tracker."""
        return user_id in (self.signed_up_id, self.renamed_id)

    def joined_as(self, user_id: int) -> int:
        """When that id was first seen."""
        firsts = {
            self.second_tracker_id: self.second_joined,
            self.signed_up_id: self.signed_up,
            self.renamed_id: self.renamed,
        }
        return firsts.get(user_id) or self.joined

    def migrations(self, until: int) -> Iterator[tuple[int, int, int]]:
        """The pairs known by then: id given up, id that took over, when."""
        for old, new, instant in (
            (self.tracker_id, self.signed_up_id, self.signed_up),
            (self.second_tracker_id, self.id_at(self.second_login or 0), self.second_login),
            (self.signed_up_id, self.renamed_id, self.renamed),
        ):
            if instant is not None and instant < until:
                yield old, new, instant


def make_person(number: int, schedule: Schedule, seed: int) -> Person:
    """Person 0 is the busiest, and has a chain of two migrations however small the sample is."""
    random = seeded(seed, number)
    first, last = schedule.windows[0], schedule.end
    is_first = number == 0
    is_new = random.random() < _JOIN_AFTER_FIRST_DUMP and len(schedule.windows) > 1
    start, end = (first.end, last) if is_new and not is_first else (first.start, first.end)
    joined = first.start if is_first else random.randrange(start, end - HOUR)

    signed_up = renamed = second_joined = second_login = None
    if is_first or random.random() < _SIGN_UP:
        early = is_first or (not is_new and random.random() < _SIGN_UP_IN_FIRST_DUMP)
        signed_up = random.randrange(joined + 1, first.end if early else last)
        if is_first or random.random() < _RENAME:
            renamed = random.randrange(signed_up, last)
        if not is_first and random.random() < _SECOND_DEVICE:
            second_joined = random.randrange(joined, last)
            second_login = random.randrange(max(second_joined, signed_up), last)
    country, city = random.choice(_COUNTRIES)
    device_type, browser, platform = random.choice(_DEVICES)
    often = min(_LEAST_VISITS_PER_DAY * random.paretovariate(_EVENNESS), _MOST_VISITS_PER_DAY)
    return Person(
        number=number,
        joined=joined,
        tracker_id=random.getrandbits(53),
        second_joined=second_joined,
        second_login=second_login,
        second_tracker_id=random.getrandbits(53),
        signed_up=signed_up,
        signed_up_id=random.getrandbits(63),
        renamed=renamed,
        renamed_id=random.getrandbits(63),
        visits_per_day=_MOST_VISITS_PER_DAY if is_first else often,
        first_name=random.choice(_FIRST_NAMES),
        last_name=random.choice(_LAST_NAMES),
        company=random.choice(_COMPANIES),
        role=random.choice(_ROLES),
        plan=random.choice(_PLANS),
        country=country,
        city=city,
        device_type=device_type,
        browser=browser,
        platform=platform,
    )
