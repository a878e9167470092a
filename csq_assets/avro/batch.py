"""Blocks that are decoded together, and the rows that they give."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl

from csq_assets.avro.container import Block
from csq_assets.avro.schema import RecordSchema

PART_BYTES = 4 * 1024 * 1024  # plain, that are decoded together
MOST_CELLS = 4_000_000  # of a frame
# A null takes one byte in Avro, and sixteen in a frame. But every column costs as much as some rows.
_CELLS, _ROWS = 1_000_000, 64


def rows_at_once(columns: int) -> int:
    """How many rows of so many columns are decoded together."""
    columns = max(1, columns)
    return max(1, min(max(_CELLS // columns, _ROWS), MOST_CELLS // columns))


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive rows of one file."""

    file: str
    first_row: int  # number in the file, from 0
    rows: int


@dataclass(frozen=True, slots=True)
class ReplacedText:
    """Sequences that are not UTF-8 in texts of one file, each replaced by U+FFFD."""

    file: str
    row: int  # the first with any, numbered in the file
    sequences: int


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Rows with the columns of their files, and where they come from."""

    frame: pl.DataFrame  # without rows where the files have no columns
    runs: tuple[Run, ...]
    replaced: tuple[ReplacedText, ...]

    @property
    def rows(self) -> int:
        return sum(run.rows for run in self.runs)


@dataclass(slots=True, eq=False)
class Batch:
    """Blocks of one file, or of several files whose schemas read alike."""

    schema: RecordSchema
    blocks: list[tuple[str, Block]] = field(default_factory=list)  # each with its file
    rows: int = 0
    plain_size: int = 0  # estimated, in bytes

    def add(self, file: str, block: Block) -> None:
        self.blocks.append((file, block))
        self.rows += block.rows
        self.plain_size += block.plain_size

    def has_room(self, block: Block, columns: int) -> bool:
        """Whether to decode the block with those before, in a table of so many columns."""
        fits = self.plain_size + block.plain_size <= PART_BYTES
        return fits and self.rows + block.rows <= rows_at_once(columns)

    @property
    def cells(self) -> int:
        return self.rows * len(self.schema.columns)

    def runs(self) -> tuple[Run, ...]:
        """Where the rows come from, in order."""
        return joined(Run(file, block.first_row, block.rows) for file, block in self.blocks)


def joined(runs: Iterable[Run]) -> tuple[Run, ...]:
    """Runs in order, with consecutive ones of a file as one, and none without rows."""
    found: list[Run] = []
    for run in runs:
        if found and found[-1].file == run.file:
            last = found.pop()
            found.append(Run(run.file, last.first_row, last.rows + run.rows))
        elif run.rows:
            found.append(run)
    return tuple(found)


def sum_up_replaced(
    runs: Sequence[Run], found: Iterable[tuple[int, int]]
) -> tuple[ReplacedText, ...]:
    """By file, from pairs of a row's index in the runs and the sequences replaced in it."""
    files: dict[str, ReplacedText] = {}
    for index, sequences in sorted(found):
        file, row = _locate(runs, index)
        first = files.get(file, ReplacedText(file, row, 0))
        files[file] = ReplacedText(file, first.row, first.sequences + sequences)
    return tuple(files.values())


def _locate(runs: Sequence[Run], index: int) -> tuple[str, int]:
    """The file of row `index` of these runs, and the row's number in that file."""
    for run in runs:
        if index < run.rows:
            return run.file, run.first_row + index
        index -= run.rows
    raise IndexError(index)
