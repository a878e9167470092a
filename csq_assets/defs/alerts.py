"""Telling people, from Dagster: the sensor of the daemon, the end of a headless pass, and the troubles
that only Dagster knows of."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import takewhile

import dagster as dg
from dagster._core.definitions.selector import InstigatorSelector
from dagster._core.scheduler.instigation import TickStatus

from csq_assets.alerts.delivery import open_receivers, require_apprise
from csq_assets.alerts.situation import Condition
from csq_assets.alerts.tell import tell
from csq_assets.aws import s3_client
from csq_assets.defs.failures import innermost, step_errors
from csq_assets.defs.keys import Keys
from csq_assets.defs.resources import Resources
from csq_assets.defs.run_requests import PUBLICATION, REFRESH, SNAPSHOT_REFRESH
from csq_assets.errors import BusyError, CsqError, UsageError
from csq_assets.lake.locations import open_lake
from csq_assets.settings import Settings

INTERVAL_SECONDS = 60
_TICKS, _RUNS = 20, 10  # the newest that are looked at
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_MARTS = "marts"
_OTHER_READERS = {SNAPSHOT_REFRESH: "snapshot", PUBLICATION: "published tables"}
_FAILED_TWICE = 2  # a tick fails once when the code server restarts


def build_alerts_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor that tells people. Raises SettingsError where the extra is not installed."""
    require_apprise()
    keys = Keys.of(settings)

    @dg.sensor(
        name=keys.alerts,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells CSQ_ALERTS what fails, once, and when it is repaired.",
        required_resource_keys={keys.lake},
    )
    def alerts(
        context: dg.SensorEvaluationContext,
        **_given: object,  # the resources once more, where somebody calls the sensor directly
    ) -> dg.SkipReason:
        receivers = open_receivers(settings.alerts)
        troubles = [*_failing_ticks(context, keys), *lasting_failures(context.instance, settings)]
        lake = Resources(context.resources, keys).lake
        said = tell(settings, receivers, lake.open, troubles, datetime.now(UTC))
        for sentence in said:
            context.log.info(sentence)
        return dg.SkipReason("; ".join(said) or "nothing new")

    return alerts


@contextmanager
def telling(
    settings: Settings, instance: dg.DagsterInstance, say: Callable[[str], object]
) -> Iterator[None]:
    """At the end of a headless pass, tell people, also that it failed; `say` gets what was done.

    Raises SettingsError where CSQ_ALERTS cannot be used, before the pass begins.
    """
    receivers = open_receivers(settings.alerts)

    def tell_now(*troubles: Condition) -> None:
        if receivers:
            troubles += tuple(lasting_failures(instance, settings))
            lake = lambda: open_lake(settings.lake_url, s3_client)  # noqa: E731
            for sentence in tell(settings, receivers, lake, troubles, datetime.now(UTC)):
                say(sentence)

    try:
        yield
    except (BusyError, UsageError):  # nothing is wrong
        raise
    except CsqError as error:
        tell_now(_failed_pass(str(error), "runs"))
        raise
    else:
        tell_now()


def lasting_failures(instance: dg.DagsterInstance, settings: Settings) -> Iterator[Condition]:
    """What `failing_refreshes` gives, without that which the settings want no more: no run of it will
    come."""
    wanted = {
        _MARTS: settings.dbt_project,
        _OTHER_READERS[PUBLICATION]: settings.publish_url,
        _OTHER_READERS[SNAPSHOT_REFRESH]: settings.snapshot_path,
    }
    for condition in failing_refreshes(instance, Keys.of(settings)):
        if wanted.get(condition.subject, "always") is not None:
            yield condition


def failing_refreshes(instance: dg.DagsterInstance, keys: Keys) -> Iterator[Condition]:
    """The newest refresh, the newest run for the marts, and that for other readers of each kind, where
    it failed."""
    last: dict[str, dg.RunRecord] = {}
    for job, subject in (
        (keys.current_job, "refresh of the current tables"),
        (keys.marts_job, _MARTS),
    ):
        ended = dg.RunsFilter(job_name=job, statuses=_ENDED)  # not one that is being repeated
        for record in instance.get_run_records(ended, limit=_RUNS):
            tag = record.dagster_run.tags.get(keys.tag(REFRESH), "")
            last.setdefault(_OTHER_READERS.get(tag, subject), record)
    for subject, record in sorted(last.items()):
        if record.dagster_run.status is dg.DagsterRunStatus.FAILURE:
            run_id = record.dagster_run.run_id
            errors = step_errors(instance, run_id) or ["the run ended before its steps did"]
            more = f" And {len(errors) - 1} more." if len(errors) > 1 else ""
            since = datetime.fromtimestamp(record.end_time, UTC) if record.end_time else None
            yield Condition(subject, f"{errors[0]}{more}", f"runs/{run_id}", since=since)


def _failing_ticks(context: dg.SensorEvaluationContext, keys: Keys) -> Iterator[Condition]:
    """The sensor that looks at the export, where it failed more than once."""
    origin, repository = context.code_location_origin, context.repository_name
    if origin is None or repository is None:
        return
    location = origin.location_name
    ticks = context.instance.get_ticks(
        origin_id="",
        selector_id=InstigatorSelector(
            location_name=location, repository_name=repository, name=keys.sensor
        ).get_id(),
        limit=_TICKS,
        statuses=[TickStatus.SKIPPED, TickStatus.SUCCESS, TickStatus.FAILURE],
    )
    failed = list(takewhile(lambda tick: tick.is_failure, ticks))
    if len(failed) >= _FAILED_TWICE:
        page = f"locations/{location}/sensors/{keys.sensor}"
        since = datetime.fromtimestamp(failed[-1].timestamp, UTC)
        yield _failed_pass(innermost(failed[0].error), page, since)


def _failed_pass(said: str, page: str, since: datetime | None = None) -> Condition:
    return Condition("sync", said, page, since=since)
