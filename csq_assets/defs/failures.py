"""CsqError -> dagster.Failure, and back: a person reads a sentence, not a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from csq_assets.errors import CsqError, lack_of_memory_told


@contextmanager
def errors_as_failures() -> Iterator[None]:
    """Raise a CsqError as a failure that Dagster does not retry: damaged data stays damaged. So is lack
    of memory, which the next pass may have."""
    try:
        with lack_of_memory_told():
            yield
    except CsqError as error:
        raise dg.Failure(
            str(error),
            metadata={**error.where, "remedy": error.remedy or "none known"},
            allow_retries=False,
        ) from None


def step_errors(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """What failed in the steps of a run, in words; of a fault of ours, its exception."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    failures = [entry.dagster_event.step_failure_data for entry in entries if entry.dagster_event]
    return [
        str(failure.user_failure_data.description)
        if failure.user_failure_data is not None
        else innermost(failure.error)
        for failure in failures
    ]


def innermost(error: SerializableErrorInfo | None) -> str:
    """The sentence of the error that was wrapped in others."""
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.partition(": ")[2].strip() if error else "nothing says why"
