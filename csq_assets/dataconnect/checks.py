"""Every check. Facts in, findings out; in the metadata of a finding, counts and lists say the same as
its words, for programs and plots.

Importing the registry from here makes sure that it is filled.
"""

from csq_assets.dataconnect.check_registry import (
    REGISTRY,
    Finding,
    Severity,
    checks_on,
    evaluate,
)
from csq_assets.dataconnect.current_checks import CurrentFacts, RowFacts
from csq_assets.dataconnect.export_checks import evaluate_export
from csq_assets.dataconnect.raw_checks import RawFacts
from csq_assets.dataconnect.type_checks import type_widened

__all__ = [
    "REGISTRY",
    "CurrentFacts",
    "Finding",
    "RawFacts",
    "RowFacts",
    "Severity",
    "checks_on",
    "evaluate",
    "evaluate_export",
    "type_widened",
]
