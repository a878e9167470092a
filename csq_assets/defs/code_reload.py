"""Gives new tables their assets: asks the code server to load the code location again.

The only module that knows Dagster's gRPC client, which is internal.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Timer

import dagster as dg

_AFTER_SECONDS = 1  # when the evaluation of the sensor, which the reload would end, is over
_TIMEOUT_SECONDS = 180


@dataclass(slots=True)
class CodeReload:
    """Of the process that evaluates the sensor. It was to be replaced for the tables in `asked`."""

    asked: set[str] = field(default_factory=set)

    def request(self, context: dg.SensorEvaluationContext, tables: Iterable[str]) -> str:
        """Request a reload for new tables; gives the clause that says so, or what a person must do."""
        new, names = set(tables), ", ".join(sorted(tables))
        in_vain = new <= self.asked
        self.asked |= new
        if _reload_soon(context) and not in_vain:
            return f"new tables: {names}; the code location is reloaded to give them assets"
        return (
            f"new tables: {names}. Reload the code location to give them assets: only servers started "
            "by dagster dev, dg dev or dagster code-server start do so by themselves"
        )


def _reload_soon(context: dg.SensorEvaluationContext) -> bool:
    """Whether there is a server that can be asked. `dagster api grpc` answers, and does nothing."""
    create_client = getattr(context.code_location_origin, "create_client", None)
    if create_client is None:
        return False

    def reload() -> None:
        with suppress(Exception):  # the next evaluation finds the tables still without assets
            create_client().reload_code(timeout=_TIMEOUT_SECONDS)

    timer = Timer(_AFTER_SECONDS, reload)
    timer.daemon = True
    timer.start()
    return True
