"""Runs the jobs that the sensor asks for in this process, one pass at a time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Protocol

import dagster as dg
from filelock import FileLock, Timeout

from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dataconnect.findings import Finding
from csq_assets.dataconnect.intake import Work
from csq_assets.dataconnect.tables import raw_asset
from csq_assets.defs.build import build_definitions, tables_in
from csq_assets.defs.current_assets import CURRENT_JOB, current_selection, refresh_config
from csq_assets.defs.keys import UNFINISHED, raw_key
from csq_assets.defs.raw_assets import RAW_JOB, decode_config
from csq_assets.errors import SettingsError, StorageError
from csq_assets.lake.decoding import Outcome
from csq_assets.settings import Settings
from csq_assets.summary import CheckSummary, summarize_check

_HEADLESS = {"csq/headless": "true"}
# The code location of workspace.yaml, so that its pages in the UI list these runs as well.
_TAGS = {**_HEADLESS, ".dagster/repository": "__repository__@csq_assets"}
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_LOCK_WAIT_SECONDS = 60


class Listener(Protocol):
    """Is told how a pass goes on."""

    def starts(self, what: str, steps: int) -> None:
        """So many steps of this are about to be taken."""
        ...

    def advances(self, what: str) -> None:
        """One of them was taken."""
        ...


class Headless:
    """One pass: what its runs find and what goes wrong gathers here."""

    def __init__(
        self,
        settings: Settings,
        instance: dg.DagsterInstance,
        listener: Listener,
        catalog: Catalog,
    ) -> None:
        self.outcomes: list[Outcome] = []
        self.checks: list[CheckSummary] = []
        self.errors: list[str] = []
        self._settings = settings
        self._instance = instance
        self._listener = listener
        self._catalog = catalog

    def decode(self, work: Sequence[Work]) -> None:
        """Decode this work in one run. What is wrong with a delivery is in the outcomes."""
        keys = [raw_key(table) for one in work for table in one.tables]
        self._listener.starts("decoding", len(keys))
        before = len(self.outcomes)
        raised = self._run(RAW_JOB, keys, decode_config(work))
        # A step that came to its end tells what the outcomes tell.
        if len(self.outcomes) - before < len(keys):
            self.errors += raised

    def refresh(self, tables: Sequence[str], *, rebuild: bool = False) -> None:
        """Bring these current tables up to date in one run, the identity map before them."""
        self._listener.starts("refreshing", len(tables) + 1)
        config = refresh_config(rebuild=rebuild)
        self.errors += self._run(CURRENT_JOB, current_selection(tables), config)

    @cached_property
    def _definitions(self) -> dg.Definitions:
        """Those of the catalog: the code location, built once for all runs of the pass."""
        return build_definitions(
            self._settings,
            tables_in(self._catalog, self._settings),
            on_outcome=self._hear_outcome,
            on_findings=self._hear_findings,
        )

    def _run(self, job: str, keys: Sequence[dg.AssetKey], config: Mapping[str, Any]) -> list[str]:
        """Run the job; gives the failures that its step raised itself. Bugs go to the errors."""
        # Without checks: the step yields what they find all the same, and planning each is an event.
        selected = self._definitions.resolve_job_def(job).get_subset(
            asset_selection=frozenset(keys), asset_check_selection=frozenset()
        )
        result = selected.execute_in_process(
            instance=self._instance,
            run_config={**config, **_QUIET},
            tags=_TAGS,
            raise_on_error=False,
        )
        if result.success:
            return []
        steps = [
            event.step_failure_data
            for event in result.filter_events(lambda event: event.is_step_failure)
        ]
        bugs = [step.error for step in steps if step.user_failure_data is None]
        if not steps:
            runs = result.filter_events(lambda event: event.is_run_failure)
            bugs = [event.job_failure_data.error for event in runs]
        self.errors += [bug.to_string() for bug in bugs if bug is not None]
        raised = [step.user_failure_data for step in steps]
        return [one.description for one in raised if one is not None and one.description]

    def _hear_outcome(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        asset = raw_asset(outcome.table)
        if outcome.unjudged is not None:
            self.errors.append(str(outcome.unjudged))
        for judged in outcome.judged:
            self.checks += (summarize_check(asset, one, judged.dump_id) for one in judged.findings)
        self._listener.advances(f"dump {outcome.dump_id} {outcome.table}")

    def _hear_findings(self, asset: str, findings: Sequence[Finding]) -> None:
        self.checks += (summarize_check(asset, finding, None) for finding in findings)
        self._listener.advances(asset)


@contextmanager
def alone(settings: Settings) -> Iterator[None]:
    """One pass at a time on this machine; the operating system frees the lock of a killed one.

    Raises StorageError where another one does not end within a minute; SettingsError where the
    folder of the DuckDB file cannot be written.
    """
    path = settings.duckdb_path.with_name(f".{settings.duckdb_path.name}.lock")
    lock = FileLock(path, timeout=_LOCK_WAIT_SECONDS)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise StorageError(
            f"another csq sync is at work, and did not end within {_LOCK_WAIT_SECONDS} seconds",
            remedy="Wait for it, then run csq sync again.",
        ) from None
    except OSError as error:
        raise SettingsError(
            f"{path.parent} cannot be written: {error.strerror}",
            where={"setting": "CSQ_DUCKDB_PATH"},
            remedy="Choose a folder that can be written.",
        ) from error
    try:
        yield
    finally:
        lock.release()


def bury_killed_runs(instance: dg.DagsterInstance) -> None:
    """Runs of passes that were killed. None is alive where this pass is alone."""
    for run in instance.get_runs(dg.RunsFilter(tags=_HEADLESS, statuses=UNFINISHED)):
        instance.report_run_failed(run, "csq sync was killed; what it had finished is kept")
