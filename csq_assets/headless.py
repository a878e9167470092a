"""Executes run requests in this process, as the daemon does for the sensor."""

import uuid
from collections.abc import Callable, Iterator
from functools import cached_property

import dagster as dg
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster_shared.record import copy

from csq_assets.dataconnect.catalog import Catalog
from csq_assets.dbt_project import DbtProject
from csq_assets.defs.build import build_definitions, tables_in
from csq_assets.defs.keys import Keys
from csq_assets.defs.run_requests import headless_tags, marts_request
from csq_assets.errors import StorageError
from csq_assets.pipeline.planner import Planner
from csq_assets.pipeline.progress import Listener, watched_by
from csq_assets.settings import Settings
from csq_assets.signals import SIGNALS

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_STEP_ENDS = ("STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED")
_INTERRUPTED = "csq was interrupted; what was finished is kept, the rest is due"


class HeadlessRuns:
    """The runs of one pass, and what they found: `evaluations` of checks, and `errors` in words.

    Raises SettingsError where the settings name a dbt project, and dbt is not installed.
    """

    def __init__(
        self, settings: Settings, instance: dg.DagsterInstance, catalog: Catalog, listener: Listener
    ) -> None:
        self.evaluations: list[dg.AssetCheckEvaluation] = []
        self.errors: list[str] = []
        self._settings = settings
        self._project = DbtProject.of(settings)
        # The pages of the code location in the UI, and its timeline, list these runs as well.
        self._origin = RemoteRepositoryOrigin(
            RegisteredCodeLocationOrigin(settings.code_location), "__repository__"
        )
        self._tags = {
            **headless_tags(Keys.of(settings)),
            ".dagster/repository": self._origin.get_label(),
        }
        self.instance = instance
        self._catalog = catalog
        self._listener = listener
        self._selection: frozenset[dg.AssetKey] | None = None  # of the run in progress
        self._is_canceling = False

    @cached_property
    def _definitions(self) -> dg.Definitions:
        """The code location, with the tables that the catalog has by now."""
        return build_definitions(self._settings, tables_in(self._catalog, self._settings))

    def execute(self, request: dg.RunRequest) -> None:
        """Execute the run, to its end whatever fails in it.

        Raises KeyboardInterrupt where a signal asks the process to end; the run is canceled.
        """
        job = self._definitions.resolve_job_def(str(request.job_name))
        self._selection = None
        if request.asset_selection is not None:
            self._selection = frozenset(request.asset_selection)
            job = job.get_subset(asset_selection=self._selection, asset_check_selection=frozenset())
        run_id = str(uuid.uuid4())
        self.instance.add_event_listener(run_id, self._follow)
        try:
            with watched_by(self._listener.decodes):
                result = job.execute_in_process(
                    instance=self.instance,
                    run_id=run_id,
                    partition_key=request.partition_key,
                    run_config={**request.run_config, **_QUIET},
                    tags={**self._tags, **request.tags},
                    raise_on_error=False,
                )
        except KeyboardInterrupt:  # before Dagster began to look after it
            self._cancel(run_id, self.instance.report_run_canceled)
            raise
        self.evaluations += result.get_asset_check_evaluations()
        if SIGNALS.received():
            raise KeyboardInterrupt
        if not result.success:
            self.errors += dict.fromkeys(_errors(result))  # a place that is away fails many steps

    def build_marts(self, planner: Planner, *, wait_seconds: float) -> None:
        """Build the marts, if there are some and they are behind."""
        try:
            version = planner.stale_marts(self._project, wait_seconds=wait_seconds)
        except StorageError as error:
            self.errors.append(str(error))
            return
        if version is not None:
            self._listener.starts("building marts", 1)
            self.execute(marts_request(Keys.of(self._settings), version))

    def _follow(self, entry: dg.EventLogEntry) -> None:
        if entry.dagster_event_type is dg.DagsterEventType.RUN_START:
            self._complete(entry.run_id)
        if SIGNALS.received() and not self._is_canceling:  # else Dagster calls it a failure
            self._cancel(entry.run_id, self.instance.report_run_canceling)
        event = entry.dagster_event
        if event is not None and event.event_type_value in _STEP_ENDS:
            self._listener.advances(str(event.step_key))

    def _complete(self, run_id: str) -> None:
        """Give the run what `execute_in_process` does not: where its job is from, and what it selects
        (given beforehand, Dagster would plan each check). The UI needs both to execute it again."""
        run = self.instance.get_run_by_id(run_id)
        if run is not None:
            self.instance.run_storage.replace_job_origin(
                copy(run, asset_selection=self._selection),
                RemoteJobOrigin(self._origin, run.job_name),
            )

    def _cancel(self, run_id: str, report: Callable[[dg.DagsterRun, str], object]) -> None:
        self._is_canceling = True
        if (run := self.instance.get_run_by_id(run_id)) and not run.is_finished:
            report(run, _INTERRUPTED)


def _errors(result: dg.ExecuteInProcessResult) -> Iterator[str]:
    """What failed in words; of a fault of ours, which has none, the traceback."""
    steps = [
        event.step_failure_data
        for event in result.filter_events(lambda event: event.is_step_failure)
    ]
    for step in steps:
        if step.user_failure_data is not None:
            yield str(step.user_failure_data.description)
        elif step.error is not None:
            yield step.error.to_string()
    if not steps:
        for event in result.filter_events(lambda event: event.is_run_failure):
            if event.job_failure_data.error is not None:
                yield event.job_failure_data.error.to_string()
