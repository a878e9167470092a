"""Who visits: few often and many seldom; first anonymous, some sign up and change their id."""

from collections.abc import Iterator

from csq_assets.sample.schedule import HOUR, Schedule

_FIRST_NAMES = ("Ana", "Bo", "Chidi", "Dalia", "Emre", "Fumiko", "Gus", "Hana", "Ines", "José")
_LAST_NAMES = ("Abe", "Blum", "Costa", "Dietz", "Eriksen", "Ferrari", "Gallo", "Haddad", "Ito")
_COMPANIES = ("Acorn", "Birch & Co", "Cedar", "Dogwood", "Elm", "Fir")
_COUNTRIES = (
    ("Germany", "Berlin"),
    ("France", "Paris"),
    ("United States", "Austin"),
    ("Japan", None),
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


class Person:
    """One human being, and the ids under which they are delivered as time goes by.

    They follow from the seed and their number alone, so nobody has to be kept in memory. Person 0 is
    the busiest, and has a chain of two migrations however small the sample is.
    """

    def __init__(self, number: int, schedule: Schedule) -> None:
        self.number = number
        random = schedule.random(number)
        first, end = schedule.windows[0], schedule.end
        is_first = number == 0
        is_new = random.random() < _JOIN_AFTER_FIRST_DUMP and len(schedule.windows) > 1
        joins_in = range(first.stop, end) if is_new and not is_first else first
        self.joined = (
            first.start if is_first else random.randrange(joins_in.start, joins_in.stop - HOUR)
        )
        self.signed_up: int | None = None
        self.renamed: int | None = None  # the company moves to single sign-on
        self.second_joined: int | None = None  # another device, anonymous until they log in there
        self.second_login: int | None = None
        if is_first or random.random() < _SIGN_UP:
            early = is_first or (not is_new and random.random() < _SIGN_UP_IN_FIRST_DUMP)
            self.signed_up = random.randrange(self.joined + 1, first.stop if early else end)
            if is_first or random.random() < _RENAME:
                self.renamed = random.randrange(self.signed_up, end)
            if not is_first and random.random() < _SECOND_DEVICE:
                self.second_joined = random.randrange(self.joined, end)
                self.second_login = random.randrange(max(self.second_joined, self.signed_up), end)
        self.country, self.city = random.choice(_COUNTRIES)
        self.device_type, self.browser, self.platform = random.choice(_DEVICES)
        often = min(_LEAST_VISITS_PER_DAY * random.paretovariate(_EVENNESS), _MOST_VISITS_PER_DAY)
        self.visits_per_day = _MOST_VISITS_PER_DAY if is_first else often
        self.tracker_id, self.second_tracker_id = random.getrandbits(53), random.getrandbits(53)
        self.signed_up_id, self.renamed_id = random.getrandbits(63), random.getrandbits(63)
        self.first_name, self.last_name = random.choice(_FIRST_NAMES), random.choice(_LAST_NAMES)
        self.company, self.role = random.choice(_COMPANIES), random.choice(_ROLES)
        self.plan = random.choice(_PLANS)

    def id_at(self, instant: int, *, on_second: bool = False) -> int:
        """The id under which they were tracked at that time."""
        if on_second and self.second_login is not None and instant < self.second_login:
            return self.second_tracker_id
        if self.renamed is not None and instant >= self.renamed:
            return self.renamed_id
        if self.signed_up is not None and instant >= self.signed_up:
            return self.signed_up_id
        return self.tracker_id

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
