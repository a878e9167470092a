"""Proof that kills find what they are for: faults of `planted.py`, each found in every run."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from csq_assets_tests.torture.crashes import LEFT_BEHIND, Kill, prepared
from csq_assets_tests.torture.scenarios import ONE_TABLE, REDELIVERY, Scenario

# What a command is in the midst of, and the files at whose operations it is killed.
FOUND_BELOW: Mapping[str, tuple[Scenario, str]] = {
    "a ledger written before its partition": (REDELIVERY, "lake/raw"),
    "a commit in mid-refresh": (ONE_TABLE, "warehouse.duckdb.wal"),
    "a rename that is none": (ONE_TABLE, "lake/ledger"),
}


def kills_until_found(fault: str, folder: Path) -> list[Kill]:
    """One at each operation, first to last, up to the first that ends otherwise than promised, by more
    than a file that is left. Where none does, the last of them has no such difference."""
    scenario, below = FOUND_BELOW[fault]
    kills: list[Kill] = []
    with prepared(scenario, folder, planted=fault) as crashes:
        for kill in crashes.sweep(crashes.place.home / "data" / below):
            data = [one for one in kill.differences if not one.startswith(LEFT_BEHIND)]
            kills.append(replace(kill, differences=tuple(data)))
            if data:
                break
    return kills
