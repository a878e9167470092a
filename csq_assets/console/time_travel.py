"""How tables were, and what changed since."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from csq_assets.console.checks import show_checks
from csq_assets.console.printing import count, say, show_rows
from csq_assets.dataconnect.wording import dumps, quoted

if TYPE_CHECKING:
    from csq_assets.dataconnect.difference import Difference, TableDifference
    from csq_assets.time_travel import AsOf, Diff

_FIGURES = (
    ("before", "rows_before"),
    ("- void", "rows_void"),
    ("+ delivered", "rows_in"),
    ("- duplicates", "duplicates_dropped"),
    ("- merged", "users_merged"),
    ("= after", "rows_after"),
    ("new", "rows_new"),
    ("updated", "rows_updated"),
    ("re-resolved", "rows_reresolved"),
)


def show_as_of(rebuilt: "AsOf") -> None:
    """What the file is, what is in it, and what its checks say."""
    tables = count(len(rebuilt.tables), "table")
    say(f"{rebuilt.file} has {tables} as of dump {rebuilt.dump_id}.")
    show_rows(
        ("table", "newest dump", "rows"),
        [
            (one.table, "-" if one.newest_dump is None else f"{one.newest_dump}", f"{one.rows:,}")
            for one in rebuilt.tables
        ],
        right=("newest dump", "rows"),
    )
    passed = sum(check.passed for check in rebuilt.checks)
    say(f"{passed} of {count(len(rebuilt.checks), 'check')} passed.")
    show_checks(check for check in rebuilt.checks if not check.passed)


def show_diff(diff: "Diff") -> None:
    """What changed in which table; of a single one also with which dump."""
    changed = [one for one in diff.tables if one.dumps]
    say(f"From dump {diff.first} to dump {diff.last}: {count(len(changed), 'table')} changed.")
    figures = [figure for figure, _ in _FIGURES]
    if len(diff.tables) == 1:
        show_rows(
            ("dump", "change", *figures),
            [
                (f"{dump.dump_id}", dump.change, *_figures(dump.difference))
                for one in changed
                for dump in one.dumps
            ],
            right=("dump", *figures),
        )
    show_rows(
        ("table", *figures), [(one.table, *_figures(one.difference)) for one in changed], figures
    )
    for one in diff.tables:
        for sentence in _sentences(one):
            say(f"{one.table}: {sentence}.")
    before, after = diff.identity.resolved_before, diff.identity.resolved_after
    changes = count(diff.identity.changed, "change")
    say(f"Identity map: {changes}, from {before:,} merged ids to {after:,}.")


def _figures(difference: "Difference") -> tuple[str, ...]:
    return tuple(f"{getattr(difference, field):,}" for _, field in _FIGURES)


def _sentences(one: "TableDifference") -> Iterator[str]:
    difference = one.difference
    if difference.columns_added:
        yield f"adds {quoted(difference.columns_added)}"
    if difference.columns_removed:
        yield f"removes {quoted(difference.columns_removed)}"
    for dump_ids, what in (
        (one.failed, "failed"),
        (one.held, "held behind a dump that failed"),
        (one.pending, "not decoded yet"),
    ):
        if dump_ids:
            yield f"{what}: {dumps(dump_ids)}"
