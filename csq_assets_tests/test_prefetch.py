"""Files are opened ahead: several at once, bounded in number and in bytes."""

from collections.abc import Callable
from threading import Barrier

import pytest

from csq_assets.errors import FileError
from csq_assets.prefetch import open_in_order

MEBIBYTE = 1024 * 1024


class File:
    """Something of a size that knows whether it is open."""

    def __init__(self, path: str, size_bytes: int = 1) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self.is_open = True

    def close(self) -> None:
        self.is_open = False


def paths(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def opened_ahead(
    count: int, ahead: int, size_bytes: Callable[[int], int]
) -> tuple[list[str], list[int]]:
    """The paths as they came, and how many later ones had been begun when each did."""
    begun: list[str] = []

    def open_one(path: str) -> File:
        begun.append(path)
        return File(path, size_bytes(int(path)))

    came, further = [], []
    with open_in_order(paths(count), open_one, ahead=ahead) as files:
        for file in files:
            came.append(file.path)
            further.append(len(begun) - len(came))
    return came, further


def test_small_files_are_opened_side_by_side() -> None:
    all_at_once = Barrier(32, timeout=30)

    def open_one(path: str) -> File:
        if path != "0":
            all_at_once.wait()  # goes on when so many are there
        return File(path)

    with open_in_order(paths(33), open_one, ahead=32) as files:
        assert [file.path for file in files] == paths(33)


def test_no_more_are_opened_ahead_than_was_asked_for() -> None:
    came, further = opened_ahead(200, 4, lambda _: 1)
    assert came == paths(200)
    assert max(further) <= 4


def test_large_files_are_bounded_by_their_bytes() -> None:
    came, further = opened_ahead(40, 32, lambda _: 16 * MEBIBYTE)
    assert came == paths(40)
    assert max(further) <= 8  # at first, when no size is known
    assert max(further[8:]) <= 4


def test_of_files_larger_than_the_bound_one_is_opened_ahead() -> None:
    came, further = opened_ahead(20, 32, lambda number: 1 if number == 0 else 100 * MEBIBYTE)
    assert came == paths(20)
    assert set(further[19:]) == {0}
    assert max(further[-10:]) <= 1


def test_a_file_that_cannot_be_opened_is_told_in_its_turn_and_the_rest_is_closed() -> None:
    opened: list[File] = []

    def open_one(path: str) -> File:
        if path == "2":
            raise FileError("there is no such file", where={"file": path})
        opened.append(File(path))
        return opened[-1]

    came: list[str] = []

    def take_all() -> None:
        with open_in_order(paths(9), open_one, ahead=3) as files:
            came.extend(file.path for file in files)

    with pytest.raises(FileError, match="file 2: there is no such file"):
        take_all()
    assert came == ["0", "1"]
    assert [file.path for file in opened if file.is_open] == []
