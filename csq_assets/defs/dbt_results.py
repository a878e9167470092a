"""What dbt did, in words: of its results, and of the events that dagster-dbt made of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from csq_assets.dataconnect.check_registry import Finding, Severity
from csq_assets.dataconnect.mart_results import MartResults
from csq_assets.dataconnect.tables import MART_ASSETS, mart_asset
from csq_assets.defs.keys import Keys
from csq_assets.masking import masked

_UNIQUE_ID = "unique_id"  # metadata of dagster-dbt


@dataclass(frozen=True, slots=True)
class DbtResults:
    """The results of one build, by the unique id of what they are about. `nodes` are the manifest's."""

    nodes: Mapping[str, Mapping[str, Any]]
    results: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, manifest: Mapping[str, Any], run_results: Mapping[str, Any]) -> "DbtResults":
        results = {one["unique_id"]: one for one in run_results["results"]}
        return cls(manifest["nodes"], results)

    def describe(self, event: Any) -> Any:
        """The event; that of a test with what dbt says of it, which dagster-dbt leaves out."""
        if isinstance(event, dg.AssetCheckResult):
            return event._replace(description=self._words(_unique_id(event)))
        return event

    def failed_models(self) -> Iterator[str]:
        """Those that could not be built, each with what the database says."""
        for unique_id, said in self._models():
            if said:
                yield f"{unique_id.split('.')[-1]}: {said}"

    def mart_results(self, keys: Keys, events: Iterable[Any], *, is_whole: bool) -> MartResults:
        """The same for the lake. A test of several models that is no check is one of all marts."""
        tests: dict[str, tuple[Finding, ...]] = {}
        checks: set[str] = set()
        for event in events:
            if isinstance(event, dg.AssetCheckResult) and event.asset_key and event.check_name:
                severity = Severity(event.severity.value)
                said = event.description or ""
                found = Finding(event.check_name, event.passed, severity, said)
                asset = keys.name(event.asset_key)
                tests[asset] = (*tests.get(asset, ()), found)
                checks.add(_unique_id(event))
        others = self._tests() - checks if is_whole else set[str]()
        if others:
            tests[MART_ASSETS] = tuple(map(self._finding, sorted(others)))
        problems = {
            mart_asset(self.nodes[unique_id]["name"]): f"dbt could not build it: {said}"
            if said
            else ""
            for unique_id, said in self._models()
            if unique_id in self.nodes
        }
        return MartResults(tests, problems, is_whole)

    def _models(self) -> Iterator[tuple[str, str]]:
        """Each that was tried, and why it failed."""
        for unique_id, result in self.results.items():
            if not unique_id.startswith("test.") and result["status"] != "skipped":
                failed = result["status"] == "error"
                yield unique_id, _one_line(result["message"]) if failed else ""

    def _tests(self) -> set[str]:
        return {
            unique_id
            for unique_id, result in self.results.items()
            if unique_id.startswith("test.") and result["status"] != "skipped"
        }

    def _finding(self, unique_id: str) -> Finding:
        status, name = self.results[unique_id]["status"], self.nodes[unique_id]["name"]
        severity = Severity.WARN if status == "warn" else Severity.ERROR
        return Finding(name, status == "pass", severity, self._words(unique_id))

    def _words(self, unique_id: str) -> str:
        node = self.nodes[unique_id]
        name = (node.get("test_metadata") or node)["name"]
        column = f' of "{node["column_name"]}"' if node.get("column_name") else ""
        return f"{name}{column}: {_one_line(self.results[unique_id]['message'] or 'passes')}"


def _unique_id(event: dg.AssetCheckResult) -> str:
    return str(event.metadata[_UNIQUE_ID].value)


def _one_line(said: str) -> str:
    return masked(" ".join(said.split()))
