"""A few kills at durable operations, and proof that the harness sees what they could do."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from csq_assets_tests.torture import shim
from csq_assets_tests.torture.crashes import prepared
from csq_assets_tests.torture.proof import FOUND_BELOW, kills_until_found
from csq_assets_tests.torture.scenarios import DAEMON, INCREMENT
from csq_assets_tests.torture.shim import NoCompilerError, build_shim
from csq_assets_tests.torture.torn import torn_writes

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not tmp_path: the dynamic linker takes no blanks."""
    with TemporaryDirectory(prefix="torture-") as made:
        yield Path(made)


def test_a_sync_is_killed_and_meets_full_disks(folder: Path) -> None:
    with prepared(INCREMENT, folder) as crashes:
        data = crashes.place.home / "data"
        copied = f"rename {data / 'snapshot' / 'copy.duckdb'}"
        warehouse = data / "warehouse.duckdb"
        checkpoint = crashes.operations_below(warehouse).index(f"pwrite {warehouse}")
        trials = [
            *(crashes.kill_at(number) for number in crashes.chosen(3, seed=3)),
            crashes.kill_at(1 + crashes.operations.index(copied)),
            *(crashes.fill_at(1, data / below) for below in ("lake/raw", "warehouse.duckdb")),
            crashes.fill_at(1 + checkpoint, warehouse),
            crashes.fill_at(1, data / "lake", "readonly"),
            crashes.with_little_memory(120),
            crashes.with_clock_off(-3600),
            next(tear for tear in torn_writes(crashes) if tear.landed),
        ]
    assert [(trial.landed, trial.differences) for trial in trials] == [(True, ())] * 11


def test_a_run_of_the_daemon_is_killed_with_its_code_server(folder: Path) -> None:
    with prepared(DAEMON, folder) as crashes:
        partition = f"{crashes.place.lake}/raw/users/dump_id=13/data.parquet"
        kill = crashes.kill_at(1 + crashes.operations.index(f"rename {partition}"))
    assert (kill.landed, kill.differences) == (True, ())


@pytest.mark.parametrize("fault", FOUND_BELOW)
def test_a_planted_fault_is_found(folder: Path, fault: str) -> None:
    assert kills_until_found(fault, folder)[-1].differences


def test_a_machine_without_a_compiler_is_told_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shim, "COMPILERS", ("no-such-compiler",))
    with pytest.raises(NoCompilerError, match=r"no C compiler .* install gcc"):
        build_shim(folder)
