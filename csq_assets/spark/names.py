"""Which table has a name in the catalog that two of them want."""

from collections.abc import Collection, Iterable

from csq_assets.dataconnect.tables import catalog_name
from csq_assets.errors import NameClashError


def refuse_clash(table: str, tables: Iterable[str], applied: Collection[str]) -> None:
    """Raise NameClashError where the name belongs to another of `tables`: to one of those that are
    applied, else to the first in the order of names."""
    rivals = [one for one in tables if catalog_name(one) == catalog_name(table)]
    owner = min([one for one in rivals if one in applied] or rivals, default=table)
    if owner != table:
        raise NameClashError(
            f'in the catalog it has the name of the table "{owner}", which is there',
            where={"table": table},
            remedy="Rename it at Contentsquare, or put one of them into CSQ_SKIP_TABLES.",
        )
