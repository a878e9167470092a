"""A few commands at once, and the sensor of an export with some dumps."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from csq_assets_tests.torture.crashes import prepared
from csq_assets_tests.torture.load import at_once
from csq_assets_tests.torture.many_manifests import ticks_of_many
from csq_assets_tests.torture.scenarios import INCREMENT, Place
from csq_assets_tests.torture.warm import start_warm

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not tmp_path: the dynamic linker takes no blanks."""
    with TemporaryDirectory(prefix="torture-") as made:
        yield Path(made)


def test_two_daemons_lose_nothing(folder: Path) -> None:
    with prepared(INCREMENT, folder) as crashes, start_warm(folder / "other") as other:
        assert at_once(crashes, other, "two daemons").differences == ()


def test_a_tick_with_all_manifests_known_finds_nothing(folder: Path) -> None:
    with start_warm(folder / "warm") as warm:
        ticks, differences = ticks_of_many(warm, Place(folder / "many"), manifests=30)
    assert differences == ()
    assert len(ticks) == 4
