"""`CSQ_DROP_COLUMNS` and `CSQ_HASH_COLUMNS`, from the export to the current table."""

import hashlib
import hmac
from dataclasses import replace

import polars as pl
from pydantic import SecretStr

from csq_assets.summary import SyncSummary
from csq_assets_tests.platform import KEYS, Platform

KEY = "a key that nobody knows"
ANA = {"user_id": 5, "email": "ana@x", "ip": "192.0.2.1", "plan": "free"}
BO = {"user_id": 6, "email": "bo@x", "ip": "192.0.2.2", "plan": "pro"}


def hashed(value: str) -> str:
    return hmac.new(KEY.encode(), value.encode(), hashlib.sha256).hexdigest()


def not_passed(summary: SyncSummary, asset: str = "csq/raw/users") -> set[str]:
    return {one.check for one in summary.checks if one.asset == asset and not one.passed}


def with_rules(platform: Platform) -> Platform:
    settings = replace(
        platform.settings,
        drop_columns=("*.ip",),
        hash_columns=("users.email",),
        hash_key=SecretStr(KEY),
    )
    return replace(platform, settings=settings)


def test_columns_stay_out_from_the_next_dump_on(platform: Platform) -> None:
    platform.deliver(12, users=[ANA])
    platform.sync()
    platform = with_rules(platform)
    platform.deliver(13, users=[BO])
    assert not_passed(platform.sync()) == set()  # neither column_drift nor columns_match_manifest
    assert platform.rows("users") == [
        {"user_id": 5, "email": "ana@x", "plan": "free", "_dump_id": 12},
        {"user_id": 6, "email": hashed("bo@x"), "plan": "pro", "_dump_id": 13},
    ]
    assert platform.raw("users", 12)["ip"].to_list() == ["192.0.2.1"]  # untouched
    path = platform.lake.store.location("users", 13)
    assert list(pl.read_parquet_schema(path))[:3] == ["user_id", "email", "plan"]
    recorded = platform.instance.get_latest_materialization_event(KEYS.raw("users"))
    assert recorded is not None
    assert recorded.asset_materialization is not None
    metadata = recorded.asset_materialization.metadata
    found = {name: metadata[name].value for name in ("columns_dropped", "columns_hashed")}
    assert found == {"columns_dropped": ["ip"], "columns_hashed": ["email"]}

    platform.lake.store.delete("users", 12)  # materialized again, what it had is out too
    assert not_passed(platform.sync()) == set()
    assert platform.rows("users") == [
        {"user_id": 5, "email": hashed("ana@x"), "plan": "free", "_dump_id": 12},
        {"user_id": 6, "email": hashed("bo@x"), "plan": "pro", "_dump_id": 13},
    ]
    objects = platform.lake.store.objects
    assert not [one.key for one in objects.list("") if b"192.0.2." in objects.read(one.key)]


def test_what_contentsquare_changes_is_still_told(platform: Platform) -> None:
    platform = with_rules(platform)
    platform.deliver(12, users=[ANA], columns={"users": [*ANA, "ip_2"]})
    assert not_passed(platform.sync()) == {"columns_match_manifest"}  # of ip_2, which is no "*.ip"
    platform.deliver(13, users=[{"user_id": 6, "ip": "192.0.2.2"}])
    assert not_passed(platform.sync()) == {"column_drift"}
