"""When things happen in a sample. Instants are integers, milliseconds since 1970 in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from random import Random

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_HISTORY_DAYS = 30  # in the first dump
_BITS = 40  # for each number of a seed; more would only be slower


@dataclass(frozen=True, slots=True)
class Schedule:
    """The window that each dump covers: a month of history in the first one, then a day in each."""

    seed: int
    windows: tuple[range, ...]

    @property
    def end(self) -> int:
        return self.windows[-1].stop

    def random(self, *numbers: int) -> Random:
        """A source of randomness of its own for each `numbers`, none of them below 0."""
        seed = self.seed
        for number in numbers:
            seed = (seed << _BITS) + number + 1
        return Random(seed)  # noqa: S311  # made-up people keep no secrets


def make_schedule(now: datetime, dumps: int, seed: int) -> Schedule:
    """The last window ends an hour before the day of `now` began."""
    midnight = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    last_end = round((midnight - timedelta(hours=1)).timestamp() * SECOND)
    ends = [last_end - days * DAY for days in reversed(range(dumps))]
    starts = [ends[0] - _HISTORY_DAYS * DAY, *ends[:-1]]
    return Schedule(seed, tuple(map(range, starts, ends)))


def as_text(instant: int) -> str:
    """As event times are delivered: "2026-03-01 05:12:09.123", UTC without saying so."""
    moment = datetime.fromtimestamp(instant / SECOND, UTC)
    return moment.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
