"""The directory a sample is written to: touches what changes, and nothing that is not its own."""

import os
from collections.abc import Iterator
from pathlib import Path

from csq_assets.errors import UsageError

# One path a line, written before the file itself: a sample that was cut short knows its files too.
_RECORD = ".csq_sample"


class SampleDirectory:
    """Writes files by key, then `finish` removes those of an earlier sample.

    Raises UsageError where the directory holds a file that no sample wrote.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._record = directory / _RECORD
        if directory.exists() and not directory.is_dir():
            raise UsageError(f"{directory} is not a directory")
        self._earlier = self._read_record()
        for path in self._files():
            if (key := path.relative_to(directory).as_posix()) not in (*self._earlier, _RECORD):
                raise UsageError(
                    f"{directory} holds {key}, which is not part of a sample",
                    remedy="Name an empty or a new directory; nothing was written.",
                )
        directory.mkdir(parents=True, exist_ok=True)
        self._written: dict[str, None] = {}
        self.changed = 0

    def write(self, key: str, body: bytes) -> None:
        """Write a file, unless it holds those bytes already."""
        self._written[key] = None
        path = self._directory / key
        if path.is_file() and path.stat().st_size == len(body) and path.read_bytes() == body:
            return
        if key not in self._earlier:
            with self._record.open("a", encoding="utf-8") as record:
                record.write(f"{key}\n")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        self.changed += 1

    def finish(self) -> int:
        """Remove what an earlier sample wrote and this one did not; returns the number of files."""
        for key in self._earlier:
            if key not in self._written:
                path = self._directory / key
                path.unlink(missing_ok=True)
                self._remove_empty(path.parent)
        text = "".join(f"{key}\n" for key in self._written)
        if not self._record.is_file() or self._record.read_text(encoding="utf-8") != text:
            self._record.write_text(text, encoding="utf-8")
        return len(self._written)

    def _read_record(self) -> dict[str, None]:
        if not self._record.is_file():
            return {}
        return dict.fromkeys(self._record.read_text(encoding="utf-8").splitlines())

    def _files(self) -> Iterator[Path]:
        for folder, _, names in os.walk(self._directory):
            yield from (Path(folder, name) for name in names)

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._directory and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
