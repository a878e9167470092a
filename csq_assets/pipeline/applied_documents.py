"""What an engine outside this process has applied, as its jobs told: documents of the lake.

They are hints that plan a pass. The tables themselves know what is applied to them, and a job that is
asked for what is there already changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter

from csq_assets.dataconnect.tables import USER_MIGRATIONS
from csq_assets.lake.documents import content_hash
from csq_assets.lake.locations import Lake
from csq_assets.warehouse.staleness import Applied

_FOLDER = "applied/"


@dataclass(frozen=True, slots=True)
class AppliedRelation:
    """The dumps of a table with the content of each, and the version of the identity map that its rows
    follow; of the identity map, which has no table's name, the dump that it was made from."""

    table: str
    contents: Mapping[int, str]
    identity: tuple[int, str] | None = None


_RELATIONS = TypeAdapter(AppliedRelation)


class AppliedDocuments:
    """One document for each relation. Methods raise StorageError where the lake cannot be used."""

    def __init__(self, lake: Lake) -> None:
        self._objects, self._read = lake.store.objects, lake.documents.read

    def save(self, relation: AppliedRelation) -> None:
        self._objects.put(_key(relation.table), _RELATIONS.dump_json(relation))

    def forget(self, table: str) -> None:
        self._objects.delete(_key(table))

    def identity(self) -> tuple[int, str] | None:
        """The dump that the identity map was made from, and its content."""
        found = self._read(_key(""), _RELATIONS)
        return found.identity if found else None

    def tables(self) -> list[str]:
        return [one.table for one in self._all() if one.table]

    def applied(self) -> Applied:
        """The same as of a DuckDB file; nothing is known of `csq_meta`, which only that has."""
        found = self._all()
        identity = self.identity()
        return Applied(
            {one.table: one.contents for one in found if one.table},
            behind_identity=frozenset(
                one.table
                for one in found
                if one.table not in ("", USER_MIGRATIONS) and one.identity != identity
            ),
            migrations=identity,
            has_meta=False,
        )

    def _all(self) -> list[AppliedRelation]:
        keys = sorted(found.key for found in self._objects.list(_FOLDER))
        return [one for key in keys if (one := self._read(key, _RELATIONS))]


def _key(table: str) -> str:
    return f"{_FOLDER}{content_hash(table.encode())[:32]}.json"
