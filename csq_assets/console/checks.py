"""Checks that did not pass."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.text import Text

from csq_assets.console.printing import STYLES, say

if TYPE_CHECKING:
    from csq_assets.summary import CheckSummary


def show_checks(checks: Iterable["CheckSummary"]) -> None:
    """A line each."""
    for check in checks:
        place = check.asset + (f" {check.partition}" if check.partition else "")
        say(
            Text.assemble(
                (f"{check.severity:5} ", STYLES.get(check.severity, "")),
                f"{place}  {check.check}: {check.description}",
            )
        )
