"""How much memory decoding takes, whatever is delivered."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.made_up import WIDE_COLUMNS
from benchmarks.measure import FailedError, Measured, run_once, summed_up
from benchmarks.readers import Decoded, ours
from benchmarks.results import Goal, Result, Sizes

_MEGABYTES = 600
_LARGE_ROWS = 9_000_000  # a gigabyte, packed
_FILES, _WIDE_ROWS = 12_000, 50_000
_ROWS_OF_FILE = 500_000


@dataclass(frozen=True, slots=True)
class Memory:
    """More and more rows, one large file, many files, many columns; each once."""

    name: str = "memory"
    title: str = "Memory, whatever is delivered"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError, also where rows are missing."""
        scale = min(1, max(sizes.memory_rows) / max(Sizes().memory_rows))  # small, to try it out
        large, many, wide = (
            int(number * scale) + 1 for number in (_LARGE_ROWS, _FILES, _WIDE_ROWS)
        )
        runs = [
            *(
                _measured(folder, f"{rows:,} page views", "pageviews", rows, _files_for(rows))
                for rows in sizes.memory_rows
            ),
            _measured(folder, f"one file of {large:,} page views", "pageviews", large, 1),
            _measured(folder, f"{many:,} files of 100 page views", "pageviews", many * 100, many),
            _measured(folder, f"{wide:,} rows of {WIDE_COLUMNS:,} columns", "wide", wide, 10),
        ]
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                "csq_assets decodes one table into the lake, on as many cores as there are. Counted "
                "is the most memory at any time, less what importing took."
            ),
            goals=tuple(
                Goal(f"memory: {run.name}", run.over_imports_mb or 0, "MB", f"≤ {_MEGABYTES}")
                for run in runs
            ),
            runs=tuple(runs),
        )


def _files_for(rows: int) -> int:
    return max(1, rows // _ROWS_OF_FILE)


def _measured(folder: Path, name: str, table: str, rows: int, files: int) -> Measured:
    dump = Decoded.deliver(folder / "dump", table, rows, files)
    run = run_once(ours(dump, name).contestant)
    shutil.rmtree(folder / "dump")
    if run.rows != rows:
        raise FailedError(f"{name}: {run.rows} rows were decoded")
    return summed_up(name, [run])


CASE = Memory()
