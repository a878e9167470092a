"""The public names, as a snapshot that is read when it changes."""

from collections.abc import Callable
from dataclasses import replace

import dagster as dg
import pytest

from csq_assets.defs.build import build_definitions
from csq_assets.settings import Settings

SETTINGS = Settings.from_environment({"CSQ_OWNERS": "team:data,ana@example.com"})


def describe(defs: dg.Definitions) -> str:
    """Every name that users rely on, one a line, sorted."""
    graph = defs.resolve_asset_graph()
    lines = []
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        partitions = node.partitions_def
        assert partitions is None or isinstance(partitions, dg.DynamicPartitionsDefinition)
        parents = ", ".join(sorted(parent.to_user_string() for parent in node.parent_keys))
        lines.append(
            f"asset {key.to_user_string()}  group {node.group_name}"
            f"  kinds {','.join(sorted(node.kinds))}"
            f"  partitions {partitions.name if partitions else 'none'}  from {parents or 'nothing'}"
        )
    lines += [
        f"check {key.asset_key.to_user_string()} {key.name}"
        for key in sorted(graph.asset_check_keys, key=lambda key: (key.asset_key, key.name))
    ]
    lines += sorted(
        f"job {job.name}" for job in defs.resolve_all_job_defs() if not job.name.startswith("__")
    )
    lines += sorted(f"sensor {sensor.name}" for sensor in defs.sensors or [])
    return "\n".join(lines) + "\n"


def test_names_are_as_promised(golden: Callable[[str, str], None]) -> None:
    tables = ("users", "sessions", "pageviews", "user_migrations", "a-b", "1st_visit")
    golden("definitions.txt", describe(build_definitions(SETTINGS, tables)))


def test_a_key_prefix_replaces_csq_everywhere() -> None:
    tables = ("users", "user_migrations", "pageviews")
    eu = replace(SETTINGS, key_prefix="marketing/eu", group_prefix="eu_")
    usual, prefixed = build_definitions(SETTINGS, tables), build_definitions(eu, tables)
    expected = describe(usual).replace("csq/", "marketing/eu/").replace("csq_", "marketing_eu_")
    assert describe(prefixed) == expected.replace("  group ", "  group eu_")
    assert {*(prefixed.resources or {})} == {
        key.replace("csq_", "marketing_eu_") for key in usual.resources or {}
    }
    assert describe(dg.Definitions.merge(usual, prefixed)).count("\n") == (
        describe(usual).count("\n") * 2
    )


def test_definitions_can_be_built_twice() -> None:
    first, second = (describe(build_definitions(SETTINGS, ("users",))) for _ in range(2))
    assert first == second


def test_owners_are_those_of_the_setting() -> None:
    graph = build_definitions(SETTINGS, ("users",)).resolve_asset_graph()
    owners = {tuple(graph.get(key).owners) for key in graph.get_all_asset_keys()}
    assert owners == {("team:data", "ana@example.com")}


@pytest.mark.edge(64)
def test_definitions_resolve_with_odd_names() -> None:
    tables = ("_key_events__order_", "1st_visit", "événement", "x" * 90)
    graph = build_definitions(SETTINGS, tables).resolve_asset_graph()
    raw = {key.path[-1] for key in graph.get_all_asset_keys() if key.path[:2] == ["csq", "raw"]}
    assert raw == {
        "_key_events__order_",
        "1st_visit",
        "_v_nement_f5c40e7d",
        "x" * 90,
        "property_definitions",
    }
