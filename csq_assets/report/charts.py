"""The charts of the report as SVG, drawn by Vega-Lite. Colors are variables of the page's style sheet,
so that they follow its light and dark theme. No name that was delivered is in a chart."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import vl_convert
from markupsafe import Markup

from csq_assets.report.content import Dump, Sync, TableDump

_WIDTH, _HEIGHT = 224, 100  # four fit beside one another, and one on a phone
_STRIP_WIDTH, _STRIP_HEIGHT = 340, 24
_CONFIG = {
    "aria": False,  # the page says what a chart shows
    "background": None,
    "font": "system-ui, sans-serif",
    "padding": {"left": 0, "top": 6, "right": 8, "bottom": 0},  # for labels at the ends
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "labelFontSize": 11,
        "labelPadding": 4,
        "domain": False,
        "ticks": False,
        "grid": False,
        "title": None,
    },
    "axisX": {
        "labelAngle": 0,
        "labelFlush": True,
        "labelOverlap": "greedy",
        "labelSeparation": 10,
    },
    "axisY": {
        "grid": True,
        "gridColor": "var(--line)",
        "labelExpr": "format(datum.value, '~s')",
        "minExtent": 30,
        "maxExtent": 30,
    },
    "bar": {"continuousBandSize": 4},
}

Spec = dict[str, Any]


def draw_syncs(syncs: Sequence[Sync], next_sync: datetime | None) -> Markup:
    """Minutes of each sync by the time it finished, failed ones apart; a dashed line is the next."""
    values = [
        {
            "at": sync.at.isoformat(),
            "minutes": sync.duration.total_seconds() / 60 if sync.duration else 0,
            "color": "var(--applied)" if sync.succeeded else "var(--failed)",
        }
        for sync in syncs
    ]
    x = {
        "field": "at",
        "type": "temporal",
        "scale": {"type": "utc"},
        "axis": {"format": "%b %d", "tickCount": 4},
    }
    layers: list[Spec] = [
        {
            "mark": "bar",
            "encoding": {
                "y": {"field": "minutes", "type": "quantitative", "axis": {"tickCount": 3}}
            },
        },
        {
            "mark": {"type": "point", "filled": True, "size": 16, "opacity": 1},
            "encoding": {"y": {"datum": 0}},
        },
    ]
    if next_sync is not None:
        layers.append(
            {
                "data": {"values": [{"at": next_sync.isoformat()}]},
                "mark": {"type": "rule", "strokeDash": [3, 3], "color": "var(--muted)"},
                "encoding": {"color": None},
            }
        )
    return _draw(
        {
            "width": _WIDTH,
            "height": _HEIGHT,
            "data": {"values": values},
            "encoding": {"x": x, "color": _OWN_COLOR},
            "layer": layers,
        }
    )


def draw_rows(dumps: Sequence[Dump]) -> Markup:
    """Rows of each dump, those of full resyncs apart; a dot is a dump in which a table failed."""
    bars = [
        {"dump": str(dump.dump_id), "value": value, "color": color, "order": order}
        for dump in dumps
        for order, (value, color) in enumerate(
            (
                (dump.rows_of_increments, "var(--applied)"),
                (dump.rows_of_full_resyncs, "var(--resync)"),
            )
        )
    ]
    failed = [{"dump": str(dump.dump_id)} for dump in dumps if dump.tables_failed]
    dots: Spec = {
        "data": {"values": failed},
        "mark": {
            "type": "point",
            "filled": True,
            "size": 28,
            "opacity": 1,
            "color": "var(--failed)",
        },
        "encoding": {"x": _by_dump(dumps), "y": {"datum": 0}},
    }
    return _draw({"layer": [_stacked(bars, dumps), dots]})


def draw_drift(dumps: Sequence[Dump]) -> Markup:
    """Tables whose columns changed, by dump: with additions alone, or with more."""
    bars = [
        {"dump": str(dump.dump_id), "value": value, "color": color, "order": order}
        for dump in dumps
        for order, (value, color) in enumerate(
            ((dump.tables_broken, "var(--failed)"), (dump.tables_widened, "var(--held)"))
        )
    ]
    return _draw(_stacked(bars, dumps))


def draw_migrations(migrations: Iterable[TableDump], dumps: Sequence[Dump]) -> Markup:
    """Pairs of each dump that delivered any."""
    bars = [
        {"dump": str(one.dump_id), "value": one.rows, "color": "var(--applied)", "order": 0}
        for one in migrations
    ]
    return _draw(_stacked(bars, dumps))


def draw_strip(table_dumps: Iterable[TableDump], dumps: Sequence[Dump]) -> Markup:
    """One table's rows in each dump, colored by what became of it. What failed or is
    pending is of full height."""
    taken = tuple(table_dumps)
    most = max((one.rows for one in taken), default=0) or 1
    values = [
        {
            "dump": str(one.dump_id),
            "value": most if one.status in ("failed", "pending") else one.rows,
            "color": f"var(--{one.status})",
        }
        for one in taken
    ]
    scale = {"type": "sqrt", "domain": [0, most]}  # else a full resync hides the increments
    y = {"field": "value", "type": "quantitative", "axis": None, "scale": scale}
    return _draw(
        {
            "width": _STRIP_WIDTH,
            "height": _STRIP_HEIGHT,
            "data": {"values": values},
            "mark": "bar",
            "encoding": {"x": {**_by_dump(dumps), "axis": None}, "y": y, "color": _OWN_COLOR},
        }
    )


_OWN_COLOR: Mapping[str, Any] = {"field": "color", "type": "nominal", "scale": None}


def _by_dump(dumps: Sequence[Dump]) -> Spec:
    """Each dump in its place, also where it has nothing."""
    domain = [str(dump.dump_id) for dump in dumps]
    return {"field": "dump", "type": "nominal", "scale": {"domain": domain, "paddingInner": 0.25}}


def _stacked(bars: Sequence[Spec], dumps: Sequence[Dump]) -> Spec:
    heights = Counter[str]()
    for bar in bars:
        heights[bar["dump"]] += bar["value"]
    most = max([1, *heights.values()])
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "data": {"values": [bar for bar in bars if bar["value"]]},
        "mark": "bar",
        "encoding": {
            "x": _by_dump(dumps),
            "y": {
                "field": "value",
                "type": "quantitative",
                "scale": {"domain": [0, most], "nice": True},
                "axis": {"tickCount": min(3, most)},  # at whole numbers
            },
            "order": {"field": "order"},
            "color": _OWN_COLOR,
        },
    }


def _draw(spec: Spec) -> Markup:
    # Vega escapes what it writes, and nothing here comes from a delivery but numbers and times.
    return Markup(vl_convert.vegalite_to_svg({**spec, "config": _CONFIG}))  # noqa: S704
