"""What a check is and what it finds; checks.py has the checks themselves."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, get_args

from pydantic import Field


class Severity(StrEnum):
    """As in Dagster."""

    WARN = "WARN"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Table:
    """A small table in the metadata of a check."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Measure: TypeAlias = int | tuple[str, ...] | Table  # a count, a list of names, or a table


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `severity` says how bad a failure is.

    `metadata` says the same as `description`, for programs. Only Dagster keeps it.
    """

    check: str
    passed: bool
    severity: Severity
    description: str
    metadata: Annotated[Mapping[str, Measure], Field(exclude=True)] = field(
        default_factory=dict[str, Measure], compare=False
    )


def failing(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that did not pass."""
    return tuple(finding for finding in findings if not finding.passed)


# `rows` and `current` are both on current tables: the first needs the rows, the other the lake alone.
Subject: TypeAlias = Literal["sync_reports", "manifests", "raw", "rows", "current", "user_identity"]


class Verdict(NamedTuple):
    """What the function of a check returns."""

    passed: bool
    severity: Severity
    description: str
    metadata: Mapping[str, Measure] = {}


@dataclass(frozen=True, slots=True)
class Check:
    """A check as the UI lists it; `remedy` says what to do when it fails; `verdict` takes the facts of
    its subject."""

    name: str
    on: Subject
    description: str
    severities: tuple[Severity, ...]  # of its failures
    remedy: str
    verdict: Callable[[Any], Verdict]


REGISTRY: dict[str, Check] = {}  # by subject, whichever module is imported first
_SUBJECTS: tuple[Subject, ...] = get_args(Subject)


def check(
    on: Subject, *, severities: tuple[Severity, ...], remedy: str
) -> Callable[[Callable[[Any], Verdict]], Callable[[Any], Verdict]]:
    """Register the function as a check on `on`, under its own name and with its docstring."""

    def register(verdict: Callable[[Any], Verdict]) -> Callable[[Any], Verdict]:
        name, description = verdict.__name__, " ".join((verdict.__doc__ or "").split())
        REGISTRY[name] = Check(name, on, description, severities, remedy, verdict)
        ordered = sorted(REGISTRY.items(), key=lambda entry: _SUBJECTS.index(entry[1].on))
        REGISTRY.clear()
        REGISTRY.update(ordered)
        return verdict

    return register


def checks_on(subject: Subject) -> tuple[Check, ...]:
    return tuple(entry for entry in REGISTRY.values() if entry.on == subject)


def evaluate(subject: Subject, facts: Any) -> tuple[Finding, ...]:
    """What every check on the subject finds in these facts."""
    return tuple(Finding(entry.name, *entry.verdict(facts)) for entry in checks_on(subject))
