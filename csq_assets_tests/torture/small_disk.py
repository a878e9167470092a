"""A disk of its own below a folder, in memory, of which the size can be changed."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_KILOBYTE = 1024
_ROOMY_KILOBYTES = 1024 * 1024


class CannotMountError(Exception):
    """This machine lets nobody mount a disk here; the message says what it said."""


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A tmpfs that is mounted on the folder."""

    folder: Path

    def leave_room(self, kilobytes: int | None = None) -> None:
        """So much beside what is there; all that is wanted if None."""
        disk = os.statvfs(self.folder)
        used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize // _KILOBYTE
        size = _ROOMY_KILOBYTES if kilobytes is None else used + kilobytes
        _run("mount", "-o", f"remount,size={size}k", str(self.folder))


@contextmanager
def small_disk(folder: Path, contents: Path) -> Iterator[SmallDisk]:
    """In the place of the folder, with a copy of `contents`, and room. In the end the folder is empty.
    Raises CannotMountError."""
    shutil.rmtree(folder)
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={_ROOMY_KILOBYTES}k", "tmpfs", str(folder))
    try:
        shutil.copytree(contents, folder, dirs_exist_ok=True)
        yield SmallDisk(folder)
    finally:
        _run("umount", "--lazy", str(folder))


def _run(*command: str) -> None:
    if shutil.which(command[0]) is None:
        raise CannotMountError(f"there is no {command[0]} here")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotMountError(done.stderr.strip())
