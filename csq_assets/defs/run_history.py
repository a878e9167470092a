"""The runs that there were, so that none is repeated without end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

RUNS_AN_HOUR = 5  # of the same


@dataclass(frozen=True, slots=True)
class RunHistory:
    """The runs of an instance."""

    instance: dg.DagsterInstance

    def runs(self, **conditions: object) -> Sequence[dg.DagsterRun]:
        """Those that fit a RunsFilter."""
        return self.instance.get_runs(dg.RunsFilter(**conditions))  # pyright: ignore[reportArgumentType]

    def count(self, tags: Mapping[str, str], job_name: str | None = None) -> int:
        return self.instance.get_runs_count(dg.RunsFilter(job_name=job_name, tags={**tags}))

    def has_succeeded(self, tags: Mapping[str, str]) -> bool:
        return bool(self.runs(tags=tags, statuses=[dg.DagsterRunStatus.SUCCESS]))

    def was_tried(self, tags: Mapping[str, str], since: datetime) -> bool:
        """Whether a step of such a run failed since then. A run that was canceled or killed may be
        repeated at once, but not without end."""
        recent = self.runs(tags=tags, statuses=[dg.DagsterRunStatus.FAILURE], created_after=since)
        has_failed = any(self.instance.get_run_stats(run.run_id).steps_failed for run in recent)
        return has_failed or len(recent) >= RUNS_AN_HOUR
