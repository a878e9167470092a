"""What a check is and what it finds; the checks themselves stand in checks.py."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeAlias


class Severity(StrEnum):
    """As Dagster has it."""

    WARN = "WARN"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `severity` says how bad it is where it did not pass."""

    check: str
    passed: bool
    severity: Severity
    description: str


Subject: TypeAlias = Literal["sync_reports", "manifests", "raw", "current", "user_identity"]
Verdict: TypeAlias = tuple[bool, Severity, str]  # passed, severity, description


@dataclass(frozen=True, slots=True)
class Check:
    """A check as the UI lists it; `evaluate` takes the facts of its subject."""

    name: str
    on: Subject
    description: str
    evaluate: Callable[[Any], Verdict]

    def judge(self, facts: Any) -> Finding:
        return Finding(self.name, *self.evaluate(facts))


REGISTRY: dict[str, Check] = {}


def check(on: Subject) -> Callable[[Callable[[Any], Verdict]], Callable[[Any], Verdict]]:
    """Enter the function as a check on `on`: its name is the check's, its docstring what it says."""

    def enter(evaluate: Callable[[Any], Verdict]) -> Callable[[Any], Verdict]:
        name = evaluate.__name__
        REGISTRY[name] = Check(name, on, (evaluate.__doc__ or "").strip(), evaluate)
        return evaluate

    return enter


def checks_on(subject: Subject) -> tuple[Check, ...]:
    return tuple(entry for entry in REGISTRY.values() if entry.on == subject)


def judge(subject: Subject, facts: Any) -> tuple[Finding, ...]:
    """What every check on the subject finds."""
    return tuple(entry.judge(facts) for entry in checks_on(subject))
