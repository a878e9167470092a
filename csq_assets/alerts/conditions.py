"""What is not as it should be, by the lake: from the state of the pipeline to conditions."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from csq_assets.alerts.situation import Condition
from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.check_registry import Severity
from csq_assets.dataconnect.checks import REGISTRY
from csq_assets.dataconnect.intake import Intake, decide
from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.tables import (
    MANIFESTS_ASSET,
    raw_asset,
    with_prefix,
)
from csq_assets.dataconnect.wording import dumps
from csq_assets.summary import CheckSummary

_OVERDUE = "sync_on_time"  # told though it is of severity WARN: nothing else tells of it
_PENDING_FOR = timedelta(hours=1)  # a dump that nobody decodes; each is pending for a moment
_CONSEQUENCES = ("complete", "no_gap")  # of a failed partition, which is told
_EACH_IS_NEWS = ("column_drift", "manifest_readable")  # another finding is another failure


def find_conditions(
    state: PipelineState,
    standing: Iterable[CheckSummary],
    now: datetime,
    *,
    key_prefix: str,
    severity: str = Severity.ERROR,
) -> Iterator[Condition]:
    """What is not well by the lake. `standing` are the checks that fail; those of severity WARN count
    where `severity` is WARN."""
    yield from _failed_partitions(state, key_prefix)
    intake = decide(state.catalog, state.records, (), now, skips=state.skips)
    yield from _closed_gate(state.catalog, intake, key_prefix)
    for table, error in state.catalog.names(state.skips).refused.items():
        yield Condition(f'table "{table}"', str(error), "assets")
    for check in standing:
        if check.check == "complete" and not check.is_error:
            if not intake.wait:
                yield replace(_failing_check(state.catalog, check), patience=_PENDING_FOR)
        elif check.check not in _CONSEQUENCES and (
            check.is_error or severity == Severity.WARN or check.check == _OVERDUE
        ):
            yield _failing_check(state.catalog, check)


def _failed_partitions(state: PipelineState, key_prefix: str) -> Iterator[Condition]:
    plans = state.plans()
    for dump_id, record in state.failures():
        asset = with_prefix(raw_asset(record.table), key_prefix)
        plan = plans.get(record.table)
        held = plan.held if plan and plan.gap == dump_id else ()
        if record.failure is not None:
            yield Condition(
                f"dump {dump_id} of {asset}",
                record.failure.error,
                f"assets/{asset}?view=partitions&partition={dump_id}",
                since=record.failure.at,
                remedy=f"Held behind it: {dumps(held)}." if held else "",
            )


def _closed_gate(catalog: Catalog, intake: Intake, key_prefix: str) -> Iterator[Condition]:
    """Dumps that wait because a sync did not succeed. Those that wait for the first report are well."""
    newest = catalog.newest_report()
    if newest is not None and not newest.report.succeeded and intake.wait:
        asset = with_prefix(MANIFESTS_ASSET, key_prefix)
        yield Condition(
            f"{asset}: dumps wait",
            f"{dumps(intake.wait)}: {intake.wait_reason}",
            f"assets/{asset}",
            since=newest.age_key[0],
            remedy="They are taken after a sync that succeeds; csq sync --dump ID takes one now.",
        )


def _failing_check(catalog: Catalog, check: CheckSummary) -> Condition:
    newest = catalog.newest_report()
    times = {
        "sync_succeeded": newest.age_key[0] if newest else None,
        _OVERDUE: newest.report.next_sync_at if newest else None,
    }
    return Condition(
        f"{check.asset}: {check.check}",
        check.description,
        f"assets/{check.asset}?view=checks&checkDetail={check.check}",
        severity=Severity(check.severity),
        since=times.get(check.check),
        remedy=REGISTRY[check.check].remedy if check.check in REGISTRY else "",
        edition=check.description if check.check in _EACH_IS_NEWS else check.severity,
    )
