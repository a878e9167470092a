"""The cases that there are: a module of `benchmarks.cases` for each, named like its case."""

import importlib
import pkgutil

from benchmarks import cases
from benchmarks.results import Case

# As they run, and as docs/performance.md tells of them; a case that is missing here comes last.
_ORDER = (
    *("decode", "small_files", "memory", "sync", "profile", "current", "year"),
    *("many_dumps", "start", "s3"),
)


def case_names() -> list[str]:
    """In order."""
    return in_order([module.name for module in pkgutil.iter_modules(cases.__path__)])


def find_case(name: str) -> Case:
    """The CASE of its module; no other module is imported."""
    return importlib.import_module(f"{cases.__name__}.{name}").CASE


def in_order(names: list[str]) -> list[str]:
    """The names of cases as they run, those that are not known behind them."""
    return sorted(names, key=lambda name: (_ORDER.index(name) if name in _ORDER else 99, name))
