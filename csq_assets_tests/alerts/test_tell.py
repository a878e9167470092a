"""What people are told at the end of headless passes."""

import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from csq_assets.alerts.memory import AlertMemory
from csq_assets.errors import CsqError, SettingsError, UsageError
from csq_assets.sync import run_sync
from csq_assets_tests.alerts.receivers import Webhook, serve_webhook
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.platform import Listener, Platform

BROKEN: dict[str, Any] = {"users": [AvroFile(body=b"")], "columns": {"users": ["user_id"]}}
BROKEN_FILE = "dump 12, table users, file s3://customer/sync_12/users/part-00000-e3b0c442-c000.avro"


@dataclass(slots=True)
class Told:
    """A platform whose passes tell a webhook, which may be one of several receivers."""

    platform: Platform
    webhook: Webhook
    listener: Listener = field(default_factory=Listener)

    def sync(self) -> list[tuple[str, str, str]]:
        """Title, text and type of each message of a pass. The text has no times of this run."""
        run_sync(self.platform.settings, self.platform.instance, self.listener)
        return self.taken()

    def taken(self) -> list[tuple[str, str, str]]:
        return [(body["title"], body["message"], body["type"]) for _, body in self.webhook.taken()]

    def said(self) -> list[str]:
        said, self.listener.said = self.listener.said, []
        return said

    def configure(self, **settings: Any) -> None:
        self.platform = replace(self.platform, settings=replace(self.platform.settings, **settings))


@pytest.fixture
def told(platform: Platform, webhook: Webhook) -> Told:
    settings = replace(
        platform.settings,
        alerts=(SecretStr(f"json://{webhook.place}/"),),
        ui_url="https://ui",
    )
    return Told(replace(platform, settings=settings), webhook)


def subjects(messages: list[tuple[str, str, str]]) -> list[list[str]]:
    """The first words of each paragraph of each message, up to what was found."""
    return [
        [paragraph.split(": ")[0] for paragraph in text.split("\n\n")[:-1]]
        for _, text, _ in messages
    ]


def test_a_failure_is_told_once_and_so_is_its_end(told: Told) -> None:
    told.platform.deliver(12, **BROKEN)
    told.platform.deliver(13, users=[{"user_id": 1}])
    before = datetime.now(UTC)
    ((title, text, kind),) = told.sync()
    since = next(one for one in (before, datetime.now(UTC)) if f"{one:%H:%M}" in text)
    assert (title, kind) == ("csq_assets: 1 new problem", "failure")
    assert text == (
        f"ERROR dump 12 of csq/raw/users: {BROKEN_FILE}: it is empty: 0 bytes. "
        "Ask Contentsquare to redeliver the dump, or replace the file in place.\n"
        f"Since {since:%Y-%m-%d %H:%M} UTC. Held behind it: dump 13.\n"
        "https://ui/assets/csq/raw/users?view=partitions&partition=12\n\n"
        f"Export: {told.platform.settings.export_url}.\n"
        "https://ui/assets"
    )
    assert told.said() == ["json was told: csq_assets: 1 new problem"]
    assert (told.sync(), told.said()) == ([], [])

    told.platform.export.report("2026-03-02", status="failed", error="no rows")
    told.platform.deliver(12, users=[{"user_id": 1}])
    told.platform.deliver(14, users=[{"user_id": 1}], sign_up=[{"user_id": 1, "event_id": 1}])
    ((title, text, _),) = told.sync()
    assert title == "csq_assets: 2 new problems, 1 new table"
    assert text == (
        "ERROR csq/manifests: dumps wait: dumps 12, 14: the newest sync report, 2026-03-02.json, says "
        '"failed": manifests written after 2026-03-01 05:30 UTC, when the last successful sync '
        "finished, wait for the next sync that succeeds\n"
        "Since 2026-03-02 05:30 UTC. They are taken after a sync that succeeds; csq sync --dump ID "
        "takes one now.\n"
        "https://ui/assets/csq/manifests\n\n"
        'ERROR csq/sync_reports: sync_succeeded: 2026-03-02.json says "failed": no rows\n'
        "Since 2026-03-02 05:30 UTC. Look at the sync in Contentsquare. New dumps wait until a report "
        "says succeeded; csq sync --dump ID takes one nevertheless.\n"
        "https://ui/assets/csq/sync_reports?view=checks&checkDetail=sync_succeeded\n\n"
        "New in schema csq, once decoded: sign_up. Put what is not wanted into CSQ_SKIP_TABLES.\n\n"
        f"Export: {told.platform.settings.export_url}. 1 told before still stand.\n"
        "https://ui/assets"
    )
    told.platform.export.report("2026-03-03")
    ((title, text, kind),) = told.sync()
    assert (title, kind) == ("csq_assets: 3 repaired", "success")
    assert text == (
        f"Repaired: dump 12 of csq/raw/users (since {since:%Y-%m-%d %H:%M} UTC)\n"
        "Repaired: csq/manifests: dumps wait (since 2026-03-02 05:30 UTC)\n"
        "Repaired: csq/sync_reports: sync_succeeded (since 2026-03-02 05:30 UTC)\n\n"
        f"Export: {told.platform.settings.export_url}.\n"
        "https://ui/assets"
    )


def test_a_receiver_that_is_down_is_told_later_and_the_others_once(told: Told) -> None:
    with serve_webhook() as other:
        addresses = (*told.platform.settings.alerts, SecretStr(f"json://{other.place}/x/SENTINEL"))
        told.configure(alerts=addresses)
        told.platform.deliver(12, **BROKEN)
        other.status = 500
        assert len(told.sync()) == 1
        assert told.said() == [
            "json was told: csq_assets: 1 new problem",
            (
                "json 2 could not be told, the next pass tries again: Failed to send JSON POST "
                "notification: Internal server error., error=500."
            ),
        ]
        other.taken()
        other.status = 200
        assert told.sync() == []
        assert told.said() == ["json 2 was told: csq_assets: 1 new problem"]
        ((path, body),) = other.taken()
        assert (path, body["title"]) == ("/x/SENTINEL", "csq_assets: 1 new problem")


def test_warnings_are_told_if_asked_and_another_drift_again(told: Told) -> None:
    told.configure(alert_severity="WARN", key_prefix="eu")
    told.platform.deliver(12, users=[{"user_id": 1, "a": "1"}, {"user_id": None, "a": "1"}])
    assert subjects(told.sync()) == [["WARN eu/raw/users"]]
    told.configure(alert_severity="ERROR")
    told.platform.deliver(13, users=[{"user_id": 2, "b": "1"}])
    messages = told.sync()
    assert [title for title, _, _ in messages] == ["csq_assets: 1 new problem, 1 repaired"]
    assert 'column_drift: dump 13 adds "b", removes "a"\n' in messages[0][1]
    told.platform.deliver(14, users=[{"user_id": 3, "a": "1"}])
    messages = told.sync()
    assert [title for title, _, _ in messages] == ["csq_assets: 1 new problem"]
    assert 'column_drift: dump 14 adds "a", removes "b"\n' in messages[0][1]
    told.platform.deliver(15, users=[{"user_id": 4, "a": "1"}])
    assert subjects(told.sync()) == [["Repaired"]]


def test_a_pass_that_fails_is_told_and_what_is_overdue(told: Told) -> None:
    export = Path(told.platform.settings.export_url)
    due = datetime.now(UTC) - timedelta(hours=2)
    told.platform.deliver(12, users=[{"user_id": 1}], modified=due - timedelta(days=1))
    told.platform.export.report("2026-03-02", next_sync_at=due)
    assert subjects(told.sync()) == [["WARN csq/sync_reports"]]
    export.rename(f"{export}.away")
    for messages in ([["ERROR sync"]], []):
        with pytest.raises(SettingsError, match="there is no directory"):
            told.sync()
        assert subjects(told.taken()) == messages
    Path(f"{export}.away").rename(export)
    told.platform.deliver(13, users=[{"user_id": 1}])
    assert [title for title, _, _ in told.sync()] == ["csq_assets: 2 repaired"]


def test_while_the_lake_cannot_be_read_nothing_counts_as_repaired(told: Told) -> None:
    told.platform.deliver(12, **BROKEN)
    told.sync()
    catalog = Path(told.platform.settings.lake_url, "catalog.json")
    body = catalog.read_bytes()
    catalog.write_bytes(b"{")
    for messages in ([["ERROR sync"]], []):
        with pytest.raises(CsqError, match=r"catalog\.json is damaged"):
            told.sync()
        assert subjects(told.taken()) == messages
    catalog.write_bytes(body)
    assert subjects(told.sync()) == [["Repaired"]]


def test_a_refresh_that_fails_is_told_with_its_run(told: Told) -> None:
    told.platform.deliver(12, users=[{"user_id": 1}])
    told.sync()
    told.platform.settings.duckdb_path.unlink()
    damaged = Path(told.platform.lake.store.location("users", 12))
    body = damaged.read_bytes()
    damaged.write_bytes(b"PAR1")
    told.configure(ui_url=None)
    ((_, text, _),) = told.sync()
    assert text.startswith("ERROR refresh of the current tables: dump 12, table users: ")
    assert "https://" not in text
    damaged.write_bytes(body)
    assert subjects(told.sync()) == [["Repaired"]]


def test_what_is_no_fault_is_not_told(told: Told) -> None:
    told.platform.deliver(12, users=[{"user_id": 1}])
    told.sync()
    with pytest.raises(UsageError):
        run_sync(told.platform.settings, told.platform.instance, Listener(), dump_id=99)
    memory = AlertMemory(told.platform.settings.duckdb_path)
    told.platform.deliver(13, **BROKEN)
    with memory.lock():
        assert (told.sync(), told.said()) == ([], ["alerts: another process is sending alerts"])
    assert [title for title, _, _ in told.sync()] == ["csq_assets: 1 new problem"]


def test_what_cannot_be_remembered_is_not_told_again_and_again(told: Told) -> None:
    told.platform.deliver(12, **BROKEN)
    document = told.platform.settings.duckdb_path.with_name(".warehouse.duckdb.alerts.json")
    document.mkdir(parents=True)
    assert told.sync() == []
    (said,) = told.said()
    assert said.startswith("alerts: ")
    assert str(document) in said
    document.rmdir()
    document.write_text("of another version")
    assert len(told.sync()) == 1


def test_a_folder_that_cannot_be_written_is_told_by_the_pass(told: Told) -> None:
    told.platform.deliver(12, **BROKEN)
    folder = told.platform.folder / "elsewhere"
    told.configure(duckdb_path=folder / "warehouse.duckdb")
    lock = folder / ".warehouse.duckdb.alerts.json.lock"
    lock.mkdir(parents=True)
    assert told.sync() == []
    (said,) = told.said()
    assert said == (
        f"alerts: setting CSQ_DUCKDB_PATH: {lock} cannot be written: Is a directory. "
        "Choose a folder that can be written."
    )
    lock.rmdir()
    shutil.rmtree(folder)
    folder.write_text("a file")  # then the pass itself cannot begin
    with pytest.raises(SettingsError, match=r"\.warehouse\.duckdb\.lock cannot be written: "):
        told.sync()
    (said,) = told.said()
    assert said.startswith("alerts: setting CSQ_DUCKDB_PATH: ")


def test_an_address_that_cannot_be_used_stops_the_pass_before_it_begins(told: Told) -> None:
    told.configure(alerts=(SecretStr("nobody://SENTINEL"),))
    told.platform.deliver(12, users=[{"user_id": 1}])
    with pytest.raises(SettingsError, match="setting CSQ_ALERTS: address 1, nobody://…, is none"):
        told.sync()
    assert told.platform.partitions() == set()


def test_a_kill_after_a_message_repeats_that_one_alone(told: Told) -> None:
    told.platform.deliver(12, **BROKEN)
    with serve_webhook() as other:
        addresses = [f"json://{place}/" for place in (told.webhook.place, other.place)]
        sync = subprocess.Popen(
            [Path(sys.executable).with_name("csq"), "sync"],
            cwd=told.platform.folder,
            env={**told.platform.environment(), "CSQ_ALERTS": ",".join(addresses)},
            stderr=subprocess.DEVNULL,
        )
        other.on_post = sync.kill
        assert sync.wait() == -signal.SIGKILL
        assert (len(told.taken()), len(other.taken())) == (1, 1)
        other.on_post = lambda: None
        told.configure(alerts=tuple(map(SecretStr, addresses)))
        assert (told.sync(), len(other.taken())) == ([], 1)
