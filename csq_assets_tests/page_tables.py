"""What pages of docs/ say from code, between `<!-- name: begin -->` and `<!-- name: end -->`."""

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping

import click

from csq_assets.attributes import ATTRIBUTES
from csq_assets.cli import cli
from csq_assets.dataconnect.checks import REGISTRY
from csq_assets.settings import Settings

WIDTH = 100
ASSETS = {
    "sync_reports": "csq/sync_reports",
    "manifests": "csq/manifests",
    "raw": "csq/raw/<table>",
    "rows": "csq/current/<table>",
    "current": "csq/current/<table>",
    "user_identity": "csq/user_identity",
}


def settings() -> str:
    """A table of all variables."""
    rows = (
        (f"`{variable}`", meaning, f"`{default}`" if default else "none")
        for variable, default, meaning in Settings.documented()
    )
    return _table(("variable", "meaning", "default"), rows)


def attributes() -> str:
    """The attributes of a component."""
    return textwrap.fill(", ".join(f"`{name}`" for name in ATTRIBUTES), WIDTH)


def checks() -> str:
    """A section for each check: where it is, how bad, what it says, what to do when it fails."""
    return "\n\n".join(
        f"### `{check.name}`\n\n"
        f"On `{ASSETS[check.on]}`, {' or '.join(check.severities)}. {check.description}\n\n"
        f"**When it fails:** {check.remedy}"
        for check in REGISTRY.values()
    )


def commands() -> str:
    """The help of csq, and of each command."""
    with click.Context(cli, info_name="csq", terminal_width=WIDTH, **cli.context_settings) as group:
        return f"```\n{cli.get_help(group)}\n```\n\n" + "\n\n".join(
            f"## csq {name}\n\n```\n{_help(command, name, group)}\n```"
            for name, command in cli.commands.items()
        )


TABLES: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "attributes": attributes,
    "checks": checks,
    "commands": commands,
}


def up_to_date(page: str) -> str:
    """The page with everything between its markers rewritten."""
    return re.sub(
        r"(<!-- (\w+): begin -->\n).*?(?=<!-- \2: end -->)",
        lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n" if found[2] in TABLES else found[0],
        page,
        flags=re.DOTALL,
    )


def _help(command: click.Command, name: str, group: click.Context) -> str:
    with click.Context(command, info_name=name, parent=group, terminal_width=WIDTH) as context:
        return command.get_help(context)


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = tuple(columns)
    return "\n".join(_line(cells) for cells in (columns, ["---"] * len(columns), *rows))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
