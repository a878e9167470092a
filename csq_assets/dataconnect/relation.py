"""What the lake remembers of a relation in the warehouse: nobody needs the DuckDB file for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from csq_assets.dataconnect.check_registry import Finding


@dataclass(frozen=True, slots=True)
class Relation:
    """A current table, or the identity map, as its last refresh left it; a mart or a published relation
    of which something is to be told.

    `columns` are those of its newest dump's manifest, under the names that people query. `removed` went
    with that dump: the dump before it lists them, or the table had them. `gone` are all that went, with
    whichever dump; `used` gives, for some of them, the assets that depend on it. `findings` are the
    failing checks on its rows, `tests` the failing tests of a dbt project. `problem` says why it could
    not be brought up to date; it is empty where it could.
    """

    asset: str
    rows: int | None = None
    newest_dump: int | None = None
    columns: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    used: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    findings: tuple[Finding, ...] = ()
    tests: tuple[Finding, ...] = ()
    problem: str = ""

    def after(self, known: "Relation | None") -> "Relation":
        """The same, after `known` was what people could query. The next build of the marts has the word
        on its tests."""
        if known is None:
            return replace(self, gone=self.removed)
        removed = known.removed if known.newest_dump == self.newest_dump else ()
        removed = without((*self.removed, *known.columns, *removed), self.columns)
        gone = without((*removed, *known.gone), self.columns)
        return replace(self, removed=removed, gone=gone, tests=known.tests)

    def with_uses(self, uses: Mapping[str, tuple[str, ...]]) -> "Relation":
        """The same, where assets depend on columns so; `uses` may name any, in any case."""
        by_name = {column.lower(): assets for column, assets in uses.items()}
        used = {column: by_name.get(column.lower(), ()) for column in self.gone}
        return replace(self, used={column: assets for column, assets in used.items() if assets})


def without(columns: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """Each of `columns` once that is not among `others`, in any case: DuckDB tells none apart."""
    taken = {column.lower() for column in others}
    kept = {column.lower(): column for column in columns}
    return tuple(column for name, column in kept.items() if name not in taken)
