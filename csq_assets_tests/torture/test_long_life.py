"""Some days of a long life, and what is made of them."""

import os
import re
import sys
from pathlib import Path

import pytest

from csq_assets_tests.platform import run
from csq_assets_tests.torture.long_life import growth


@pytest.mark.slow
def test_days_pass_and_leave_little_behind(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "csq_assets_tests.torture.long_life")  # its process forks
    lived = run(*command, "--days", "3", "--folder", tmp_path, cwd=tmp_path, environment=os.environ)
    days = re.findall(r"day \d+: .* MB; Dagster (\d+) files .* MB ?\n", lived.stdout)
    assert len(days) == 3, lived.stdout + lived.stderr
    second, third = map(int, days[1:])
    assert third - second == 2 * 2  # of each of two runs, a file and a mark that it is complete


def test_the_last_month_is_held_beside_a_first() -> None:
    assert growth([2.0] * 29 + [9.0], [9.0] + [1.0] * 29) == 2.0
