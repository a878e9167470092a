"""What a case found: figures beside their goals, and the runs that they come from."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks.measure import Measured


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work the cases do. The defaults are those of the goals."""

    rows: int = 1_000_000  # of the decoding
    sync_rows: tuple[int, ...] = (1_000_000, 10_000_000, 50_000_000)  # the most by csq_assets alone
    small_files: int = 2_000
    histories: tuple[int, ...] = (1_000_000, 5_000_000, 20_000_000)
    memory_rows: tuple[int, ...] = (1_000_000, 10_000_000, 50_000_000)
    dumps: int = 365
    rounds: int = 3
    beside: Path | None = None  # a checkout of another version, for the profile
    peers: bool = True  # else those that must be installed first are left out


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure with the goal that it was measured for.

    `goal` is None where there is none to reach: then the figure is there to compare.
    """

    work: str
    figure: float
    unit: str  # "×", "ms", "MB", "s"
    goal: str | None = None  # "≥ 8", "≤ 3"
    why: str = ""  # it is missed, or what to know of it where there is no goal

    @property
    def met(self) -> bool | None:
        """None where there is no goal."""
        if self.goal is None:
            return None
        return (
            self.figure >= self._limit if self.goal.startswith("≥") else self.figure <= self._limit
        )

    @property
    def missed_by(self) -> float:
        """Of the goal, the part by which the figure differs from it."""
        return abs(self.figure / self._limit - 1)

    @property
    def _limit(self) -> float:
        return float(str(self.goal).split()[1].replace(",", ""))


@dataclass(frozen=True, slots=True)
class Result:
    """What one case found. `left_out` says which contestants did not run, and why."""

    case: str
    title: str
    setting: str  # what the contestants did, in words
    goals: tuple[Goal, ...]
    runs: tuple[Measured, ...]
    left_out: tuple[str, ...] = field(default=())


class Case(Protocol):
    """Something to measure, by name: `python -m benchmarks NAME`."""

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """`folder` is empty, and is deleted afterwards. Raises FailedError."""
        ...
