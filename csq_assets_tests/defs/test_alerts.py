"""What people are told by the daemon: the sensor, evaluated on a real instance."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.definitions.selector import InstigatorSelector
from dagster._core.errors import SensorExecutionError, user_code_error_boundary
from dagster._core.remote_origin import RegisteredCodeLocationOrigin
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._utils.error import serializable_error_info_from_exc_info
from pydantic import SecretStr

from csq_assets.errors import SettingsError, StorageError
from csq_assets_tests.alerts.receivers import Webhook, serve_webhook
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.defs.test_sensor import Daemon
from csq_assets_tests.platform import KEYS, Platform

LOCATION = "somewhere"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with serve_webhook() as served:
        yield served


@pytest.fixture
def daemon(platform: Platform, webhook: Webhook) -> Daemon:
    address = SecretStr(f"json://me:SENTINEL@{webhook.place}/")
    settings = replace(platform.settings, alerts=(address,), ui_url="https://ui")
    return Daemon(replace(platform, settings=settings))


def tell(daemon: Daemon) -> str | None:
    """A tick of the sensor that tells people; gives its words."""
    defs = daemon.platform.definitions()
    repository = defs.get_repository_def()
    with dg.SensorEvaluationContext(
        instance_ref=daemon.platform.instance.get_ref(),
        last_tick_completion_time=None,
        last_run_key=None,
        cursor=None,
        repository_name="__repository__",
        repository_def=repository,
        sensor_name=KEYS.alerts,
        resources={KEYS.lake: (defs.resources or {})[KEYS.lake]},
        code_location_origin=RegisteredCodeLocationOrigin(LOCATION),
    ) as context:
        result = repository.get_sensor_def(KEYS.alerts)(context)
    assert isinstance(result, dg.SkipReason)
    return result.skip_message


def end_tick(daemon: Daemon, minute: int, error: Exception | None = None) -> None:
    """A tick of the sensor that looks at the export, as the daemon records it."""
    info = None
    try:
        with user_code_error_boundary(SensorExecutionError, lambda: "Error in the sensor"):
            if error:
                raise error
    except SensorExecutionError:
        info = serializable_error_info_from_exc_info(sys.exc_info())
    selector = InstigatorSelector(
        location_name=LOCATION, repository_name="__repository__", name=KEYS.sensor
    )
    daemon.platform.instance.create_tick(
        TickData(
            instigator_origin_id="x",
            instigator_name=KEYS.sensor,
            instigator_type=InstigatorType.SENSOR,
            status=TickStatus.FAILURE if info else TickStatus.SKIPPED,
            timestamp=datetime(2026, 3, 1, 6, minute, tzinfo=UTC).timestamp(),
            selector_id=selector.get_id(),
            error=info,
        )
    )


def test_the_sensor_exists_only_where_somebody_is_to_be_told(daemon: Daemon) -> None:
    def sensors(platform: Platform) -> list[str]:
        return [sensor.name for sensor in platform.definitions().sensors or []]

    with_alerts = daemon.platform
    settings = replace(with_alerts.settings, alerts=())
    assert sensors(with_alerts) == ["csq_sync_reports", "csq_alerts"]
    assert sensors(replace(with_alerts, settings=settings)) == ["csq_sync_reports"]


def test_without_the_extra_the_code_location_does_not_load(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(SettingsError, match=r"pip install 'csq-assets\[alerts\]'"):
        daemon.platform.definitions()


def test_the_sensor_and_csq_sync_tell_once_together(daemon: Daemon, webhook: Webhook) -> None:
    platform = daemon.platform
    platform.deliver(12, users=[AvroFile(body=b"")], columns={"users": ["user_id"]})
    daemon.tick_and_run()
    assert tell(daemon) == "json was told: csq_assets: 1 new problem"
    ((_, body),) = webhook.taken()
    assert body["message"].startswith("ERROR dump 12 of csq/raw/users: dump 12, table users, file ")
    assert tell(daemon) == "nothing new"
    assert platform.sync().exit_code == 1
    assert webhook.taken() == []
    platform.deliver(12, users=[{"user_id": 1}])
    assert platform.sync().exit_code == 0
    ((_, body),) = webhook.taken()
    assert (body["title"], body["type"]) == ("csq_assets: 1 repaired", "success")
    assert tell(daemon) == "nothing new"


def test_ticks_that_fail_are_told_from_the_second_on(daemon: Daemon, webhook: Webhook) -> None:
    end_tick(daemon, 0)
    end_tick(daemon, 1, StorageError("no answer", where={"setting": "x"}, remedy="Try again."))
    assert tell(daemon) == "nothing new"
    end_tick(daemon, 2, StorageError("no answer", where={"setting": "x"}, remedy="Try again."))
    assert tell(daemon) == "json was told: csq_assets: 1 new problem"
    end_tick(daemon, 3, StorageError("other"))
    assert tell(daemon) == "nothing new"
    end_tick(daemon, 4)
    assert tell(daemon) == "json was told: csq_assets: 1 repaired"
    export = daemon.platform.settings.export_url
    told = (
        "ERROR sync: setting x: no answer. Try again.\n"
        "Since 2026-03-01 06:01 UTC.\n"
        "https://ui/locations/somewhere/sensors/csq_sync_reports\n\n"
        f"Export: {export}.\nhttps://ui/assets"
    )
    assert [body["message"] for _, body in webhook.taken()] == [
        told,
        f"Repaired: sync (since 2026-03-01 06:01 UTC)\n\nExport: {export}.\nhttps://ui/assets",
    ]


def test_a_refresh_that_is_repeated_is_not_repaired_yet(daemon: Daemon, webhook: Webhook) -> None:
    platform = daemon.platform
    platform.deliver(12, users=[{"user_id": 1}])
    daemon.tick_and_run()
    partition = Path(platform.lake.store.location("users", 12))
    partition.write_bytes(b"PAR1")
    daemon.tick_and_run()
    assert tell(daemon) == "json was told: csq_assets: 1 new problem"
    ((_, body),) = webhook.taken()
    (failed,) = platform.instance.get_runs(dg.RunsFilter(job_name=KEYS.current_job))
    assert body["message"].startswith("ERROR refresh of the current tables: dump 12, table users: ")
    assert f"\nhttps://ui/runs/{failed.run_id}\n" in body["message"]
    again = dg.DagsterRun(job_name=KEYS.current_job, status=dg.DagsterRunStatus.STARTED)
    platform.instance.add_run(again)
    assert tell(daemon) == "nothing new"
