"""The UI as a person meets it: `dagster dev` with its daemon, seen through Chromium."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from playwright.sync_api import Page, expect

from csq_assets.dataconnect.checks import REGISTRY
from csq_assets_tests.avro_files import encode_avro
from csq_assets_tests.builders import AvroFile
from csq_assets_tests.ui.conftest import Site

pytestmark = [pytest.mark.ui, pytest.mark.slow]

TAKEN_WITHIN_MS = 100_000  # two ticks of the sensor, and two runs


@pytest.fixture(scope="module", autouse=True)
def new_dump(site: Site) -> int:
    """Delivered while the UI runs: dump 14, with the only sessions and a table that nobody knew."""
    site.platform.deliver(
        14,
        sessions=[{"user_id": 1, "session_id": 8, "time": "1"}],
        sign_up=[{"user_id": 1, "event_id": 9}],
    )
    return 14


def test_lineage_shows_the_groups_and_their_assets(page: Page) -> None:
    show_all_assets(page)
    for asset in ("sync_reports", "manifests", "user_identity", "all_events"):
        expect(page.locator("svg").get_by_text(asset, exact=True)).to_be_visible()


def test_lineage_leads_from_a_current_table_back_to_the_export(page: Page) -> None:
    page.goto("/assets/csq/current/pageviews?view=lineage&lineageScope=upstream")
    page.get_by_role("button", name="All", exact=True).click()
    for _ in range(4):
        page.get_by_role("button", name="zoom_out").click()
    for asset in ("sync_reports", "manifests", "user_identity", "user_migrations"):
        expect(page.locator("svg").get_by_text(asset, exact=True).first).to_be_visible()
    expect(page.locator("svg").get_by_text("pageviews", exact=True)).to_have_count(2)


def test_a_raw_table_shows_which_partitions_failed(page: Page) -> None:
    page.goto("/assets/csq/raw/pageviews?view=partitions")
    expect(page.get_by_text("Failed (1)")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Materialized \([12]\)"))).to_be_visible()
    page.goto("/assets/csq/raw/pageviews?view=partitions&partition=12")
    expect(page.get_by_text("raw/pageviews/dump_id=12/data.parquet")).to_be_visible()


def test_a_check_tells_in_words_what_it_found_in_each_partition(page: Page) -> None:
    page.goto("/assets/csq/raw/users?view=checks&checkDetail=column_drift")
    views = page.get_by_role("tablist").filter(has_text="Execution history")
    views.get_by_role("tab", name="Partitions").click()
    expect(page.get_by_text("Passed (1)")).to_be_visible()
    expect(page.get_by_text("Failed (1)", exact=True)).to_be_visible()
    page.get_by_text("13", exact=True).locator("visible=true").last.click()
    expect(page.get_by_text('dump 13 adds "plan"')).to_be_visible()
    page.get_by_text("[Show Markdown]").last.click()
    advice = page.get_by_role("dialog")
    expect(advice.get_by_role("cell", name="plan", exact=True)).to_be_visible()
    expect(advice.get_by_text(REGISTRY["column_drift"].remedy)).to_be_visible()


def test_a_run_has_a_bar_for_each_table_and_can_be_retried_from_the_failure(
    page: Page, site: Site
) -> None:
    (run,) = site.platform.instance.get_runs(dg.RunsFilter(tags={"dagster/partition": "13"}))
    page.goto(f"/runs/{run.run_id}")
    for step in ("csq__raw__users", "csq__raw__pageviews"):
        expect(page.get_by_text(step, exact=True).first).to_be_visible()
    page.get_by_role("button", name="Re-execute").locator("xpath=following::button[1]").click()
    expect(page.get_by_role("menuitem", name="From failure")).to_be_enabled()


def test_a_partition_is_materialized_by_clicking(page: Page) -> None:
    page.goto("/assets/csq/raw/users?view=partitions&partition=12")
    page.get_by_role("button", name="Materialize").first.click()
    page.get_by_role("button", name="Launch 1 run").click()
    page.get_by_role("button", name="View", exact=True).or_(
        page.get_by_role("link", name="View", exact=True)
    ).click()
    expect(page).to_have_url(re.compile("/runs/"))
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=TAKEN_WITHIN_MS)


def test_checks_of_a_current_table_are_executed_by_clicking(page: Page) -> None:
    page.goto("/assets/csq/current/users?view=checks&checkDetail=unique_key")
    page.get_by_role("button", name=re.compile("Execute$")).click()
    expect(page.get_by_text("every key in the table occurs once")).to_be_visible(
        timeout=TAKEN_WITHIN_MS
    )


def test_the_sensor_takes_a_new_dump_and_refreshes(page: Page, new_dump: int) -> None:
    page.goto("/locations/csq_assets/sensors/csq_sync_reports")
    requested = page.get_by_text("1 run requested", exact=True).first
    expect(requested).to_be_visible(timeout=TAKEN_WITHIN_MS)
    page.goto("/assets/csq/raw/sessions?view=partitions")
    expect(page.get_by_text("Materialized (3)")).to_be_visible(timeout=TAKEN_WITHIN_MS)
    page.goto(f"/assets/csq/raw/sessions?view=partitions&partition={new_dump}")
    expect(page.get_by_text(f"sessions/dump_id={new_dump}/")).to_be_visible()
    page.goto("/assets/csq/current/sessions?view=events")
    new_rows = page.get_by_role("row").filter(has_text="rows_new").filter(has_text="1")
    expect(new_rows).to_be_visible(timeout=TAKEN_WITHIN_MS)


def test_a_new_table_gets_its_assets_and_is_refreshed_without_anybodys_help(page: Page) -> None:
    page.goto("/assets/csq/raw/sign_up?view=checks&checkDetail=column_drift")
    expect(page.get_by_text("is the first of this table").first).to_be_visible(
        timeout=TAKEN_WITHIN_MS
    )
    page.goto("/assets/csq/current/sign_up?view=events")
    new_rows = page.get_by_role("row").filter(has_text="rows_new").filter(has_text="1")
    expect(new_rows).to_be_visible(timeout=TAKEN_WITHIN_MS)


def test_what_a_dump_does_not_list_is_neither_missing_nor_unsynced(page: Page) -> None:
    page.goto("/assets/csq/raw/users?view=partitions")
    expect(page.get_by_text("Materialized (3)")).to_be_visible()
    expect(page.get_by_text("Missing (0)")).to_be_visible()
    for table in ("users", "pageviews"):
        page.goto(f"/assets/csq/current/{table}?view=lineage")
        expect(page.locator("svg").get_by_text("Materialized").first).to_be_visible()
        expect(page.get_by_text("Unsynced")).to_have_count(0)


def test_a_terminated_run_is_canceled_and_its_dump_is_taken_again(page: Page, site: Site) -> None:
    one = encode_avro([{"user_id": 2, "session_id": 9}] * 1_000_000)
    names = [f"part-{n}.avro" for n in range(1000)]  # enough for a person to be faster
    files = [AvroFile(body=one, name=name) for name in names]
    columns = {"sessions": ["user_id", "session_id"]}
    delivery = site.platform.export.deliver(15, sessions=files, columns=columns)
    page.goto("/runs?q[0]=tag%3Adagster%2Fpartition%3D15")
    expect(page.get_by_text("Started", exact=True)).to_be_visible(timeout=TAKEN_WITHIN_MS)
    page.get_by_role("link", name="View", exact=True).click()
    page.get_by_role("button", name=re.compile("Terminate$")).click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("Terminate")).click()
    expect(page.get_by_text("Canceled", exact=True).first).to_be_visible()
    few = encode_avro([{"user_id": 2, "session_id": 9}])
    for path in delivery.paths["sessions"]:
        site.platform.export.put(site.platform.export.key_of(path), few)
    page.goto("/runs?q[0]=tag%3Adagster%2Fpartition%3D15")
    expect(page.get_by_text("Success", exact=True)).to_be_visible(timeout=TAKEN_WITHIN_MS)
    expect(page.get_by_text("Canceled", exact=True).first).to_be_visible()
    page.goto("/assets/csq/raw/sessions?view=partitions&partition=15")
    expect(page.get_by_text("sessions/dump_id=15/")).to_be_visible()


def test_a_tick_is_red_when_the_export_is_gone(page: Page, site: Site) -> None:
    export = Path(site.platform.settings.export_url)
    page.goto("/locations/csq_assets/sensors/csq_sync_reports")
    expect(page.get_by_text("Failure", exact=True)).to_have_count(0)
    with moved_away(export):
        expect(page.get_by_text("Failure", exact=True).first).to_be_visible(timeout=TAKEN_WITHIN_MS)


def show_all_assets(page: Page) -> None:
    page.goto("/asset-groups/")
    for group in ("export", "raw", "current"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible()
    page.mouse.click(1500, 200, button="right")
    page.get_by_role("menuitem", name="Expand all groups").click()
    for table in ("users", "sessions", "pageviews", "user_migrations"):
        expect(page.locator("svg").get_by_text(table, exact=True)).to_have_count(2)


@contextmanager
def moved_away(folder: Path) -> Iterator[None]:
    elsewhere = folder.rename(folder.with_name("elsewhere"))
    try:
        yield
    finally:
        elsewhere.rename(folder)
