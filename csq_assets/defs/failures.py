"""CsqError -> dagster.Failure: a person reads a sentence, not a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from csq_assets.errors import CsqError


@contextmanager
def errors_as_failures() -> Iterator[None]:
    """Raise a CsqError as a failure that Dagster does not retry: damaged data stays damaged."""
    try:
        yield
    except CsqError as error:
        raise dg.Failure(
            str(error),
            metadata={**error.where, "remedy": error.remedy or "none known"},
            allow_retries=False,
        ) from None
