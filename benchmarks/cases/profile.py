"""Where the CPU time of a sync goes."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from os import pathsep
from pathlib import Path
from statistics import median

from benchmarks.loads import Load
from benchmarks.measure import FailedError, Run, run_once, summed_up
from benchmarks.readers import REPOSITORY
from benchmarks.results import Goal, Result, Sizes

_NOW = "csq sync"


@dataclass(frozen=True, slots=True)
class Profile:
    """`csq sync` of one dump, by its parts; beside a checkout of another version, if there is one."""

    name: str = "profile"
    title: str = "Where the CPU time of a sync goes"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError."""
        dump = Load(folder / "dump", sizes.rows).deliver()
        versions = {_NOW: REPOSITORY}
        if sizes.beside:
            versions[f"{_NOW} at {_commit(sizes.beside)}"] = sizes.beside
        runs: dict[str, list[Run]] = {name: [] for name in versions}
        parts: dict[str, list[dict[str, float]]] = {name: [] for name in versions}
        for _ in range(sizes.rounds):
            for name, checkout in versions.items():
                run, spent = _profiled(dump, checkout, folder)
                runs[name].append(run)
                parts[name].append(spent)
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                f"{sizes.rows:,} page views in ten files, with users and migrations, from a directory "
                "into an empty home: the parts of its CPU time, in all threads. `--beside` takes a "
                "checkout of another version, which runs in turn with this one."
            ),
            goals=tuple(goal for name, spent in parts.items() for goal in _goals(name, spent)),
            runs=tuple(summed_up(name, of_one) for name, of_one in runs.items()),
        )


def _profiled(dump: Load, checkout: Path, folder: Path) -> tuple[Run, dict[str, float]]:
    out, first = folder / "parts.json", folder / "first"
    first.mkdir(exist_ok=True)
    package = first / "csq_assets"
    package.unlink(missing_ok=True)
    package.symlink_to(checkout / "csq_assets")
    shutil.copy(checkout / "dagster.yaml", dump.home.remake().folder)
    # The checkout's package, and the benchmarks of this one.
    path = pathsep.join(map(str, (first, REPOSITORY)))
    ours = dump.ours()
    contestant = replace(
        ours,
        command=(sys.executable, "-m", "benchmarks.contestants.profiled", out),
        environment={**ours.environment, "PYTHONPATH": path},
        prepare=None,
    )
    return run_once(contestant), json.loads(out.read_bytes())


def _goals(name: str, parts: list[dict[str, float]]) -> Iterator[Goal]:
    """The median of each part, the largest first."""
    seconds = {part: median(one.get(part, 0) for one in parts) for part in parts[0]}
    for part, of_part in sorted(seconds.items(), key=lambda one: -one[1]):
        share = 100 * of_part / sum(seconds.values())
        yield Goal(f"CPU of {name}: {part}", of_part, "s", why=f"{share:.0f} % of it")


def _commit(checkout: Path) -> str:
    """Raises FailedError where there is none."""
    command = ("git", "-C", str(checkout), "rev-parse", "--short", "HEAD")
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    if said.returncode or not (checkout / "csq_assets").is_dir():
        raise FailedError(f"{checkout} is no checkout of csq_assets")
    return said.stdout.strip()


CASE = Profile()
