"""How much memory decoding takes, whatever is delivered."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generate import write_block
from benchmarks.made_up import WIDE_COLUMNS
from benchmarks.measure import FailedError, Measured, run_once, summed_up
from benchmarks.readers import DUMP_ID, Decoded, Reader, ours
from benchmarks.results import Goal, Result, Sizes

_MEGABYTES = 600
_LARGE_ROWS = 9_000_000  # a gigabyte, packed
_FILES, _WIDE_ROWS = 12_000, 50_000
_ROWS_OF_FILE = 500_000
_BLOCK_ROWS = 750_000  # 234 MiB


@dataclass(frozen=True, slots=True)
class Memory:
    """More and more rows, one large file, many files, many columns, a large block; each once."""

    name: str = "memory"
    title: str = "Memory, whatever is delivered"

    def measure(self, sizes: Sizes, folder: Path) -> Result:
        """Raises FailedError, also where rows are missing."""
        scale = min(1, max(sizes.memory_rows) / max(Sizes().memory_rows))  # small, to try it out
        large, many, wide, block = (
            int(number * scale) + 1 for number in (_LARGE_ROWS, _FILES, _WIDE_ROWS, _BLOCK_ROWS)
        )
        dumps = (
            *(
                (f"{rows:,} page views", "pageviews", rows, _files_for(rows))
                for rows in sizes.memory_rows
            ),
            (f"one file of {large:,} page views", "pageviews", large, 1),
            (f"{many:,} files of 100 page views", "pageviews", many * 100, many),
            (f"{wide:,} rows of {WIDE_COLUMNS:,} columns", "wide", wide, 10),
        )
        runs = list[Measured]()
        for name, table, rows, files in dumps:
            dump = Decoded.deliver(folder / "dump", table, rows, files)
            runs.append(_measured(ours(dump, name), rows))
            shutil.rmtree(dump.folder)
        dump = Decoded.deliver(folder / "dump", "pageviews", block, 1)
        write_block(next(dump.avro.iterdir()), "pageviews", block, seed=DUMP_ID)
        runs.append(_measured(ours(dump, f"one block of {block:,} page views"), block))
        return Result(
            case=self.name,
            title=self.title,
            setting=(
                "csq_assets decodes one table into the lake, on as many cores as there are. Counted "
                "is the most memory at any time, less what importing took. The one block unpacks to "
                "234 MiB."
            ),
            goals=tuple(
                Goal(f"memory: {run.name}", run.over_imports_mb or 0, "MB", f"≤ {_MEGABYTES}")
                for run in runs
            ),
            runs=tuple(runs),
        )


def _files_for(rows: int) -> int:
    return max(1, rows // _ROWS_OF_FILE)


def _measured(reader: Reader, rows: int) -> Measured:
    name, run = reader.contestant.name, run_once(reader.contestant)
    if run.rows != rows:
        raise FailedError(f"{name}: {run.rows} rows were decoded")
    return summed_up(name, [run])


CASE = Memory()
