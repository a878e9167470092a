"""When things happen in a sample: each dump covers a window, and its sync follows at once.

Instants are integers, milliseconds since 1970 in UTC.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from csq_assets.sample.chance import seeded

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_HISTORY_DAYS = 30  # in the first dump


@dataclass(frozen=True, slots=True)
class Window:
    """What one dump covers: from `start` up to, not including, `end`."""

    start: int
    end: int

    @property
    def days(self) -> float:
        return (self.end - self.start) / DAY


@dataclass(frozen=True, slots=True)
class Sync:
    """When Contentsquare's sync of a dump ran, and when it says the next one will."""

    start: int
    finish: int
    next_sync_at: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """A month of history in the first dump, then a day in each; all over before `today` began."""

    windows: tuple[Window, ...]
    syncs: tuple[Sync, ...]

    @property
    def end(self) -> int:
        return self.windows[-1].end


def make_schedule(now: datetime, dumps: int, seed: int) -> Schedule:
    """The last sync ends on the eve of `now`, and the next is due when the day of `now` is over."""
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    last_end = round((midnight - timedelta(hours=1)).timestamp() * SECOND)
    ends = [last_end - days * DAY for days in reversed(range(dumps))]
    starts = [ends[0] - _HISTORY_DAYS * DAY, *ends[:-1]]
    random = seeded(seed)
    syncs: list[Sync] = []
    for end in ends:
        start = end + 10 * MINUTE
        finish = start + random.randrange(12 * MINUTE, 30 * MINUTE)
        syncs.append(Sync(start, finish, end + HOUR + DAY))
    windows = (Window(start, end) for start, end in zip(starts, ends, strict=True))
    return Schedule(tuple(windows), tuple(syncs))


def as_text(instant: int) -> str:
    """As event times are delivered: "2026-03-01 05:12:09.123", UTC without saying so."""
    moment = datetime.fromtimestamp(instant / SECOND, UTC)
    return moment.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def as_microseconds(instant: int) -> int:
    """As `joindate` and `last_modified` are delivered."""
    return instant * 1000
