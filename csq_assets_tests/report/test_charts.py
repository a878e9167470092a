"""Marks in charts: how many, in which colors, how high."""

import re
from datetime import timedelta

from csq_assets.report.charts import (
    draw_drift,
    draw_migrations,
    draw_rows,
    draw_strip,
    draw_syncs,
)
from csq_assets.report.content import Dump, Sync, TableDump, TableDumpStatus
from csq_assets_tests.report.states import day

# A bar of Vega's: a rectangle from its left upper corner.
BAR = re.compile(r'd="M[\d.]+,[\d.]+h([\d.]+)v([\d.]+)h-[\d.]+Z" fill="var\(--(\w+)\)"')
DUMPS = [Dump(dump_id, day(dump_id)) for dump_id in (1, 2, 3, 4, 5)]


def bars(svg: str) -> list[tuple[str, float]]:
    """Color and height of each, from left to right."""
    return [(color, round(float(height), 3)) for _, height, color in BAR.findall(svg)]


def dots(svg: str) -> list[str]:
    return re.findall(r'd="M[\d.]+,0A[^"]+" fill="var\(--(\w+)\)"', svg)


def taken(dump_id: int, rows: int, status: TableDumpStatus) -> TableDump:
    return TableDump(dump_id, "users", day(dump_id), incremental=True, rows=rows, status=status)


def test_a_strip_has_a_bar_for_each_dump_as_high_as_the_square_root_of_its_rows() -> None:
    strip = draw_strip(
        [
            taken(1, 25, "void"),
            taken(2, 100, "applied"),
            taken(3, 0, "failed"),
            taken(4, 4, "held"),
            taken(5, 0, "pending"),
        ],
        DUMPS,
    )
    assert bars(strip) == [
        ("void", 12),
        ("applied", 24),
        ("failed", 24),
        ("held", 4.8),
        ("pending", 24),
    ]


def test_a_strip_keeps_the_place_of_dumps_that_do_not_list_the_table() -> None:
    width = re.findall(BAR, draw_strip([taken(4, 1, "applied")], DUMPS))[0][0]
    assert (
        width == re.findall(BAR, draw_strip([taken(n, 1, "applied") for n in (1, 5)], DUMPS))[0][0]
    )
    assert bars(draw_strip([], DUMPS)) == []


def test_rows_are_stacked_by_kind_and_failures_are_dots() -> None:
    rows = draw_rows(
        [
            Dump(1, day(1), rows_of_increments=30, rows_of_full_resyncs=70),
            Dump(2, day(2), rows_of_increments=50, tables_failed=1),
        ]
    )
    assert sorted(bars(rows)) == [("applied", 30), ("applied", 50), ("resync", 70)]
    assert dots(rows) == ["failed"]


def test_drift_and_migrations_are_bars_by_dump() -> None:
    drift = draw_drift([Dump(1, day(1), tables_widened=2), Dump(2, day(2), tables_broken=1)])
    assert sorted(bars(drift)) == [("failed", 50), ("held", 100)]
    assert bars(draw_migrations([taken(2, 10, "applied")], DUMPS)) == [("applied", 100)]
    labels = re.compile(r">(\d[^<]*)</text>")
    assert labels.findall(drift) == ["1", "2", "0", "1", "2"]
    assert labels.findall(draw_migrations([], DUMPS[:1])) == ["1", "0", "1"]


def test_syncs_are_bars_of_minutes_and_the_next_one_is_a_line() -> None:
    hour = timedelta(hours=1)
    syncs = [
        Sync("1.json", "succeeded", succeeded=True, at=day(1), duration=hour, error=None),
        Sync("2.json", "failed", succeeded=False, at=day(2), duration=None, error="no space"),
    ]
    drawn = draw_syncs(syncs, day(3))
    assert [bar for bar in bars(drawn) if bar[1]] == [("applied", 100)]
    assert sorted(dots(drawn)) == ["applied", "failed"]
    assert drawn.count("stroke-dasharray") == 1
    assert "stroke-dasharray" not in draw_syncs(syncs, None)
