"""Where the CPU time of a sync goes."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.loads import Load
from benchmarks.measure import run_once, summed_up
from benchmarks.results import Goal, Result, Sizes


@dataclass(frozen=True, slots=True)
class Profile:
    """`csq sync` of one dump, by its parts; once."""

    name: str = "profile"
    title: str = "Where the CPU time of a sync goes"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError."""
        dump, parts = Load(folder / "dump", sizes.rows).deliver(), folder / "parts.json"
        module = (sys.executable, "-m", "benchmarks.contestants.profiled", parts)
        sync = replace(dump.ours(), name=f"csq sync, {sizes.rows:,} page views", command=module)
        run = run_once(sync)
        spent: dict[str, float] = json.loads(parts.read_bytes())
        total = sum(spent.values())
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                f"{sizes.rows:,} page views in ten files, with users and migrations, from a directory "
                "into an empty home: the parts of its CPU time, in all threads."
            ),
            goals=tuple(
                Goal(f"CPU of a sync: {part}", 100 * seconds / total, "%")
                for part, seconds in sorted(spent.items(), key=lambda one: -one[1])
            ),
            runs=(summed_up(sync.name, [run]),),
        )


CASE = Profile()
