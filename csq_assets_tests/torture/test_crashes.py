"""A few kills at durable operations, and proof that the harness sees what they could do."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from csq_assets_tests.torture import shim
from csq_assets_tests.torture.crashes import Kill, prepared
from csq_assets_tests.torture.scenarios import ONE_TABLE, REDELIVERY, Scenario
from csq_assets_tests.torture.shim import NoCompilerError, build_shim

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not tmp_path: the dynamic linker takes no blanks."""
    with TemporaryDirectory(prefix="torture-") as made:
        yield Path(made)


def test_a_redelivery_is_killed_anywhere(folder: Path) -> None:
    with prepared(REDELIVERY, folder) as crashes:
        kills = [crashes.kill_at(number) for number in crashes.chosen(4, seed=3)]
    assert [(kill.landed, kill.differences) for kill in kills] == [(True, ())] * 4


@pytest.mark.parametrize(
    ("planted", "scenario", "below"),
    [
        ("a ledger written before its partition", REDELIVERY, "lake/raw"),
        ("a commit in mid-refresh", ONE_TABLE, "warehouse.duckdb.wal"),
        ("a rename that is none", ONE_TABLE, "lake/ledger"),
    ],
)
def test_a_planted_fault_is_found(
    folder: Path, planted: str, scenario: Scenario, below: str
) -> None:
    with prepared(scenario, folder, planted=planted) as crashes:
        kills = crashes.sweep(crashes.place.home / "data" / below)
        assert isinstance(next((kill for kill in kills if kill.differences), None), Kill)


def test_a_machine_without_a_compiler_is_told_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shim, "COMPILERS", ("no-such-compiler",))
    with pytest.raises(NoCompilerError, match=r"no C compiler .* install gcc"):
        build_shim(folder)
