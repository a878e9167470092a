"""What is not well although nothing is to be done now: a short clause each, for a tick."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import groupby

from csq_assets.dataconnect.pipeline_state import PipelineState
from csq_assets.dataconnect.wording import dumps, listed
from csq_assets.pipeline.planner import DecodePlan


def open_points(
    plan: DecodePlan, skips: Callable[[str], bool], retry_after: timedelta
) -> Iterator[str]:
    """Refused names, a closed gate, manifests that cannot be read, and failed dumps that are not
    retried in this pass."""
    catalog, intake = plan.discovery.catalog, plan.intake
    yield from map(str, catalog.names(skips).refused.values())
    if intake.wait:
        yield f"{dumps(intake.wait)} waiting: {intake.wait_reason}"
    elif intake.wait_reason:
        yield intake.wait_reason
    if catalog.unreadable:
        count = len(catalog.unreadable)
        more = f" and {count - 1} more" if count > 1 else ""
        yield f"not a valid manifest, read again each time: {catalog.unreadable[0]}{more}"
    retried = {(work.dump_id, table) for work in plan.decode for table in work.tables}
    state = PipelineState(catalog, plan.records, skips)
    failures = [
        (dump_id, record.table, record.failure.at)
        for dump_id, record in state.failures()
        if record.failure and (dump_id, record.table) not in retried
    ]
    for dump_id, failed in groupby(failures, key=lambda failure: failure[0]):
        tables, times = zip(*((table, at) for _, table, at in failed), strict=True)
        again = f"{min(times) + retry_after:%H:%M} UTC, or when its file changes"
        yield f"dump {dump_id} failed: {listed('table', tables)}; next attempt at {again}"
