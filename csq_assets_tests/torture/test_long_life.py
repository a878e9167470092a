"""Some days of a long life, and what is made of them."""

import os
import re
import sys
from pathlib import Path

import pytest

from csq_assets_tests.platform import run
from csq_assets_tests.torture.days import DELIVERED, Day
from csq_assets_tests.torture.long_life import growth, growth_on_disk


@pytest.mark.slow
def test_days_pass_and_leave_little_behind(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "csq_assets_tests.torture.long_life")  # its process forks
    lived = run(*command, "--days", "3", "--folder", tmp_path, cwd=tmp_path, environment=os.environ)
    days = re.findall(r"day \d+: .* MB; Dagster (\d+) files .* MB ?\n", lived.stdout)
    assert len(days) == 3, lived.stdout + lived.stderr
    second, third = map(int, days[1:])
    assert third - second == 2 * 2  # of each of two runs, a file and a mark that it is complete


def test_what_grows_on_the_disk_is_held_beside_what_is_delivered() -> None:
    def days(*sizes: int) -> list[Day]:
        return [
            Day("", 1, 1, {DELIVERED: (1, 100 * number), "data/lake": (1, size)})
            for number, size in enumerate(sizes)
        ]

    assert growth_on_disk(days(0, 10, 20, 30, 40), "data/lake") == 1.0
    assert growth_on_disk(days(0, 10, 20, 50, 80), "data/lake") == 3.0


def test_the_last_month_is_held_beside_a_first() -> None:
    assert growth([2.0] * 29 + [9.0], [9.0] + [1.0] * 29) == 2.0
