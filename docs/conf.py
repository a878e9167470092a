"""Sphinx builds the site from these pages, README.md and docstrings: make docs."""

import logging
import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

import csq_assets

ROOT = Path(__file__).parent.parent
SOURCE = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Source"]
# What a browser would fetch while it shows a page; links that a reader may follow are free.
REQUEST = re.compile(
    r"""<(?:script|img|iframe)[^>]* src="https?:[^"]*"|<link[^>]* href="https?:[^"]*\.css"""
)

logging.getLogger("alembic").setLevel(logging.WARNING)  # autodoc imports Dagster
project = "csq_assets"
release = csq_assets.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["examples"]
myst_heading_anchors = 4
default_role = "code"  # of docstrings
highlight_language = "none"  # where a block names none
smartquotes = False
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "exclude-members": "model_config",  # pydantic's
}
html_theme = "furo"
html_title = "csq_assets"
html_copy_source = False
html_show_copyright = False


def setup(app: Sphinx) -> None:
    app.connect("source-read", _adapt)
    app.connect("build-finished", _refuse_requests)


def _adapt(app: Sphinx, page: str, source: list[str]) -> None:
    """Begin the home page with README.md, and let links out of this folder lead to the repository."""
    text = source[0]
    if page == app.config.root_doc:
        app.env.note_dependency(str(ROOT / "README.md"))
        readme = re.sub(r"\]\((?!https?:|#|docs/)", "](../", (ROOT / "README.md").read_text())
        text = readme.replace("](docs/", "](") + text
    source[0] = text.replace("](../", f"]({SOURCE}/blob/main/")


def _refuse_requests(app: Sphinx, error: Exception | None) -> None:
    """The site works without a network."""
    for file in Path(app.outdir).rglob("*.html"):
        if not error and (found := REQUEST.search(file.read_text())):
            raise ExtensionError(f"{file.name} would fetch {found[0]}")
