"""What was written to begin with."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from csq_assets.console.printing import count, say

if TYPE_CHECKING:
    from csq_assets.sample import SampleSummary


def show_init(names: Sequence[str], directory: Path) -> None:
    """What was written, and what comes next."""
    following = "edit .env there, then run csq doctor"
    if ".env" not in names:  # in a Dagster project
        following = "run csq --component NAME doctor"
    say(f"Wrote {', '.join(names)} into {directory.absolute()}. Next: {following}.")


def show_sample(summary: "SampleSummary", directory: Path) -> None:
    """What was written."""
    say(
        f"{count(len(summary.dump_ids), 'dump')} of {count(len(summary.tables), 'table')}, "
        f"{summary.rows:,} rows in {summary.files:,} files, in {directory}"
    )
