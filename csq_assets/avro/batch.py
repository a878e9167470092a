"""Blocks that are decoded together."""

from dataclasses import dataclass, field

from csq_assets.avro.container import Block
from csq_assets.avro.schema import RecordSchema


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive rows of one file."""

    file: str
    first_row: int  # number in the file, from 0
    rows: int


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

    def runs(self) -> list[Run]:
        """Where the rows come from, in order; files without rows are left out."""
        runs: list[Run] = []
        for file, block in self.blocks:
            if runs and runs[-1].file == file:
                last = runs.pop()
                runs.append(Run(file, last.first_row, last.rows + block.rows))
            elif block.rows:
                runs.append(Run(file, block.first_row, block.rows))
        return runs

    def locate(self, index: int) -> tuple[str, int]:
        """The file of the batch's row `index`, and the row's number in that file."""
        runs = iter(self.runs())
        run = next(runs)
        while index >= run.rows:
            index -= run.rows
            run = next(runs)
        return run.file, run.first_row + index
