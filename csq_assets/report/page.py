"""The report as one HTML page that asks for nothing: no script, no font, no image from elsewhere."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from csq_assets import __version__
from csq_assets.dataconnect import wording
from csq_assets.errors import printable
from csq_assets.masking import masked
from csq_assets.report import charts
from csq_assets.report.content import Report

_LONGEST_NAME = 64
_REMARKS_SHOWN = 5  # on one table
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def render_page(report: Report) -> str:
    """The page. Secrets are masked in every text, and names are shortened and escaped."""
    hide = cache(masked)  # most texts occur several times
    environment = Environment(
        loader=PackageLoader("csq_assets.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_in_one_line(hide),
    )
    environment.filters.update(
        name=lambda text: printable(hide(text), _LONGEST_NAME),
        minute=lambda at: f"{at:%Y-%m-%d %H:%M} UTC",
        span=say_span,
        count=lambda number: f"{number:,}",
    )
    return environment.get_template("page.html.jinja").render(
        report=report,
        charts=charts,
        dumps_in_words=wording.dumps,
        version=__version__,
        REMARKS_SHOWN=_REMARKS_SHOWN,
    )


def say_span(span: timedelta) -> str:
    """How long, in its largest unit: `3 days`."""
    seconds = abs(span.total_seconds())
    for unit, length in _UNITS:
        if number := int(seconds // length):
            return f"{number:,} {unit}{'' if number == 1 else 's'}"
    return "less than a minute"


def _in_one_line(hide: Callable[[str], str]) -> Callable[[Any], Any]:
    """What the page makes of each value, before it is escaped."""

    def show(value: Any) -> Any:
        is_text = isinstance(value, str) and not isinstance(value, Markup)
        return printable(hide(value)) if is_text else value

    return show
