"""What a script is told: FOLDER OUT [COUNT]. The standard library is all that it uses."""

import sys
from pathlib import Path


def given_files() -> tuple[list[Path], Path]:
    """The Avro files of the folder in order, the first COUNT of them, and where the rows are to go."""
    folder, out, *count = sys.argv[1:]
    files = sorted(Path(folder).glob("*.avro"))
    return files[: int(count[0])] if count else files, Path(out)
