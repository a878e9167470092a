"""What is lost or damaged beside the partitions is found again from them."""

import shutil
from pathlib import Path

import pytest

from csq_assets_tests.platform import Platform


@pytest.fixture
def synced(platform: Platform) -> Platform:
    platform.deliver(12, users=[{"user_id": 1}], notes=[{"a": 1}], full_resync=["users"])
    platform.deliver(13, users=[{"user_id": 2}], property_definitions={"a": 1})
    assert platform.sync().errors == ()
    platform.lake.ledger.fold()
    return platform


def ledger(platform: Platform) -> Path:
    return Path(platform.settings.lake_url) / "ledger"


def test_a_damaged_record_is_found_again_from_the_partitions(synced: Platform) -> None:
    before = synced.lake.ledger.records()
    (ledger(synced) / "12.json").write_bytes(b"{")
    ran = synced.csq("sync")
    assert ran.code == 1
    assert "ledger/12.json is damaged" in ran.stderr
    assert "Run csq doctor --repair" in ran.stderr
    ran = synced.csq("doctor", "--repair")
    assert (ran.code, ran.stderr) == (0, "ok   dump 12: its record was found again\n")
    assert synced.lake.ledger.records() == before


def test_a_ledger_that_is_gone_is_found_again_though_the_export_was_pruned(
    synced: Platform,
) -> None:
    before, rows = synced.lake.ledger.records(), synced.rows("users")
    shutil.rmtree(ledger(synced))
    (Path(synced.settings.lake_url) / "catalog.json").unlink()
    for key in synced.export.list_keys():
        synced.export.delete(key)
    Path(synced.settings.export_url).mkdir(exist_ok=True)
    ran = synced.csq("doctor", "--repair")
    assert ran.code == 0, ran.stderr
    assert synced.lake.ledger.records() == before
    assert synced.sync().errors == ()
    assert synced.rows("users") == rows
    assert synced.relations() == {"users", "notes", "all_events"}
    assert synced.csq("doctor", "--repair").stderr == "ok   ledger: no record is lost or damaged\n"


def test_a_record_whose_manifest_is_gone_is_told(synced: Platform) -> None:
    shutil.rmtree(ledger(synced))
    (Path(synced.settings.lake_url) / "manifests" / "12.json").unlink()
    ran = synced.csq("doctor", "--repair")
    assert ran.code == 1
    first, second = ran.stderr.splitlines()
    assert first.startswith("FAIL dump 12: dump 12: its manifest is not in the lake")
    assert second == "ok   dump 13: its record was found again"
