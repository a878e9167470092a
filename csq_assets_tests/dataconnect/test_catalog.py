"""What was seen of an export."""

from datetime import timedelta

import pytest

from csq_assets.dataconnect.catalog import Catalog, SeenManifest, see_manifest
from csq_assets.dataconnect.manifest import parse_manifest
from csq_assets_tests.builders import encode_json
from csq_assets_tests.dataconnect.seen import at, catalog, delivered, manifest, report


@pytest.mark.edge(4)
def test_dumps_are_in_numeric_order() -> None:
    seen = catalog(manifest(1008461850), manifest(9), manifest(852))
    assert list(seen.dumps()) == [9, 852, 1008461850]


def test_of_two_manifests_with_one_id_the_one_written_later_counts() -> None:
    earlier = manifest(12, "users", modified=at(6), name="sync_12.json")
    later = manifest(12, "users", modified=at(7), name="again.json", content="b")
    assert catalog(later, earlier).dumps() == catalog(earlier, later).dumps() == {12: later}


def test_of_two_written_at_once_the_later_name_counts() -> None:
    first, second = (manifest(12, name=name) for name in ("a.json", "b.json"))
    assert catalog(second, first).dumps() == {12: second}


def test_names_go_to_the_tables_of_lower_dumps_first() -> None:
    names = catalog(manifest(13, "users", "a-b"), manifest(12, "a_b", "clicks")).names(
        lambda _table: False
    )
    assert names.kept == ("a_b", "clicks", "users")
    assert list(names.refused) == ["a-b"]


def test_a_skipped_table_takes_no_name() -> None:
    names = catalog(manifest(12, "a_b", "a-b")).names(lambda table: table == "a_b")
    assert (names.kept, names.refused) == (("a-b",), {})


def test_a_manifest_that_does_not_count_gives_no_names() -> None:
    seen = catalog(
        manifest(12, "a_b", modified=at(6), name="a.json"),
        manifest(12, "a-b", modified=at(7), name="b.json"),
    )
    assert seen.names(lambda _table: False).kept == ("a-b",)


def test_the_newest_report_finished_last_or_else_started_or_was_written_last() -> None:
    reports = [
        report("1", finish=at(7), start=at(9), modified=at(9)),
        report("2", finish=at(8), start=at(1), modified=at(1)),
        report("3", start=at(9), modified=at(9)),
        report("4", modified=at(10)),
    ]
    for newest in (4, 3, 2, 1):
        assert catalog(reports=reversed(reports[:newest])).newest_report() == reports[newest - 1]


def test_of_those_that_finished_at_once_the_newest_was_written_last() -> None:
    reports = [report(name, finish=at(8), modified=at(hour)) for name, hour in (("a", 9), ("b", 8))]
    assert catalog(reports=reports).newest_report() == reports[0]


def test_a_report_that_cannot_be_read_is_never_the_newest() -> None:
    good = report(finish=at(5))
    broken = report("broken", None, modified=at(11), problem="not JSON")
    assert catalog(reports=[good, broken]).newest_report() == good
    assert catalog(reports=[broken]).newest_report() is None


def test_nothing_was_seen_before_the_first_look() -> None:
    seen = Catalog()
    assert (seen.dumps(), seen.newest_report()) == ({}, None)
    assert seen.names(lambda _table: False).kept == ()


def test_a_manifest_is_seen_with_its_tables_and_its_definitions() -> None:
    entries = [
        {"name": name, "columns": [], "files": [], "incremental": True} for name in ("users", "a")
    ]
    document = {"dump_id": 12, "tables": entries}
    plain = parse_manifest(encode_json(document))
    defined = parse_manifest(encode_json({**document, "property_definitions": "s3://b/p.json"}))
    here = delivered("manifests/sync_12.json")
    assert see_manifest(here, "c0ffee", plain) == SeenManifest(
        here, "c0ffee", 12, ("users", "a"), has_definitions=False
    )
    assert see_manifest(here, "c0ffee", defined).has_definitions


def test_the_interval_of_syncs_is_the_one_announced_most_often() -> None:
    daily = [
        report(f"{day}.json", finish=at(5, 30, day), next_sync_at=at(5, 0, day + 1))
        for day in (1, 2)
    ]
    late = report("3.json", finish=at(5, day=3), next_sync_at=at(5, day=10))
    silent = report("4.json", finish=at(5, day=4))
    assert catalog(reports=[*daily, late, silent]).sync_interval() == timedelta(hours=24)
    assert catalog(reports=[silent]).sync_interval() is None


def test_the_dumps_without_a_table_are_those_that_do_not_list_it() -> None:
    seen = catalog(
        manifest(12, "users"), manifest(13, "sessions"), manifest(14, has_definitions=True)
    )
    assert seen.dumps_without("users") == (13, 14)
    assert seen.dumps_without("property_definitions") == (12, 13)
