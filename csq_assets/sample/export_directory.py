"""The directory a sample is written to: touches what changes, and nothing that is not its own."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from csq_assets.errors import UsageError

_RECORD = ".csq_sample"  # the key of each file, one a line


def write_files(directory: Path, files: Iterable[tuple[str, bytes]]) -> tuple[int, int]:
    """Write each file, given by key and bytes, and remove those of an earlier sample.

    Gives the number of files, and how many of them were not there or were different. Raises UsageError
    where the directory holds a file that no sample wrote.
    """
    record = directory / _RECORD
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is not a directory")
    earlier = set(record.read_text("utf-8").splitlines()) if record.is_file() else set[str]()
    for path in directory.rglob("*"):
        key = path.relative_to(directory).as_posix()
        if not path.is_dir() and key not in (*earlier, _RECORD):
            raise UsageError(
                f"{directory} holds {key}, which is not part of a sample",
                remedy="Name an empty or a new directory; nothing was written.",
            )
    directory.mkdir(parents=True, exist_ok=True)
    written, changed = set[str](), 0
    for key, body in files:
        written.add(key)
        path = directory / key
        if path.is_file() and path.read_bytes() == body:
            continue
        if key not in earlier:
            # Before the file itself: a sample that is cut short knows its files too.
            with record.open("a", encoding="utf-8") as names:
                names.write(f"{key}\n")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        changed += 1
    for key in earlier - written:
        path = directory / key
        path.unlink(missing_ok=True)
        with suppress(OSError):  # a folder that is not empty stays
            path.parent.rmdir()
            path.parent.parent.rmdir()
    if changed or earlier != written:
        record.write_text("".join(f"{key}\n" for key in sorted(written)), "utf-8")
    return len(written), changed
