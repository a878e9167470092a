"""CsqError -> dagster.Failure: what went wrong shows as a sentence, not as a traceback."""

from collections.abc import Sequence

import dagster as dg

from csq_assets.errors import CsqError


def as_failure(error: CsqError) -> dg.Failure:
    """A failure that Dagster does not repeat: damaged data does not mend itself."""
    return dg.Failure(
        str(error),
        metadata={**error.where, "remedy": error.remedy or "none known"},
        allow_retries=False,
    )


def combined_failure(what: str, errors: Sequence[str]) -> dg.Failure:
    """One failure that tells several, after the rest of the step's work is done."""
    return dg.Failure(
        f"{what} that failed: {len(errors)}. The others did not.\n" + "\n".join(errors),
        metadata={"failed": dg.MetadataValue.md("\n".join(f"- {error}" for error in errors))},
        allow_retries=False,
    )
