"""JSON documents beside the partitions: manifests, what was seen of the export, what refreshes left."""

import hashlib
import secrets
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from csq_assets.dataconnect.catalog import Catalog, SeenManifest, see_manifest
from csq_assets.dataconnect.manifest import Manifest, parse_manifest
from csq_assets.dataconnect.relation import Relation
from csq_assets.dataconnect.tombstones import Tombstones
from csq_assets.errors import StorageError
from csq_assets.lake.objects import ObjectStore
from csq_assets.prefetch import map_in_order

K = TypeVar("K")
T = TypeVar("T")

_CATALOG, _RELATIONS, _LAKE = "catalog.json", "relations/", "lake.json"
_TOMBSTONES, _RESTORE = "forgotten.json", "Put that file back from a backup."
_CATALOGS, _ALL_RELATIONS = TypeAdapter(Catalog), TypeAdapter(Relation)
_ALL_TOMBSTONES = TypeAdapter(Tombstones)
_AT_ONCE = 16
_FORMAT = 1  # grows when an earlier version would take a lake wrong


@dataclass(frozen=True, slots=True)
class _Identity:
    identity: uuid.UUID
    format: int = 1  # the first versions named none


_IDENTITIES = TypeAdapter(_Identity)


class LakeDocuments:
    """`manifests/<dump_id>.json` as delivered, and what is internal: `catalog.json`, `relations/`,
    `forgotten.json` and `lake.json`.

    Methods raise StorageError where the lake cannot be used, or a document in it is damaged.
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    def identity(self) -> str | None:
        """What tells the lake from another one under the same setting; None where nothing was written
        into it yet. Raises StorageError where a later version wrote the lake."""
        found = self.read(_LAKE, _IDENTITIES, _RESTORE)
        if found and found.format > _FORMAT:
            raise StorageError(
                f"the lake {self._objects.url} has format {found.format}, this version of csq_assets "
                f"knows {_FORMAT}",
                remedy="Use the version that wrote it, or a later one.",
            )
        return str(found.identity) if found else None

    def ensure_identity(self) -> str:
        """The lake's identity, given to it now if it has none."""
        if (known := self.identity()) is not None:
            return known
        made = _Identity(uuid.uuid4(), _FORMAT)
        self._objects.put(_LAKE, _IDENTITIES.dump_json(made))
        return self.identity() or str(made.identity)  # another's, if it was later

    def catalog(self) -> Catalog:
        """What was seen of the export; empty before the first look.

        Where it is lost, the manifests that were kept: the export may have been pruned.
        """
        return self.read(_CATALOG, _CATALOGS) or Catalog(tuple(self._kept_manifests()))

    def has_catalog(self) -> bool:
        return self._objects.stat(_CATALOG) is not None

    def _kept_manifests(self) -> Iterator[SeenManifest]:
        for kept in sorted(self._objects.list("manifests/"), key=lambda found: found.key):
            body = self._objects.read(kept.key)
            yield see_manifest(kept, content_hash(body), parse_manifest(body))

    def save_catalog(self, catalog: Catalog) -> None:
        self._objects.put(_CATALOG, _CATALOGS.dump_json(catalog, exclude_defaults=True))

    def keep_manifest(self, dump_id: int, body: bytes) -> None:
        """Keep a manifest as it was delivered, so that tables can be rebuilt from the lake."""
        self._objects.put(f"manifests/{dump_id}.json", body)

    def manifest(self, dump_id: int) -> tuple[Manifest, str]:
        """The newest manifest of a dump, and the SHA-256 of its content.

        Raises StorageError where none was kept.
        """
        try:
            body = self._objects.read(f"manifests/{dump_id}.json")
        except FileNotFoundError:
            raise StorageError(
                "its manifest is not in the lake",
                where={"dump": dump_id},
                remedy="Run csq sync, which looks for new manifests.",
            ) from None
        return parse_manifest(body), content_hash(body)

    def relations(self) -> dict[str, Relation]:
        """What the last refresh left of each current table and of the identity map, by asset."""
        keys = sorted(found.key for found in self._objects.list(_RELATIONS))
        found = side_by_side(lambda key: self.read(key, _ALL_RELATIONS), keys)
        return {relation.asset: relation for relation in found if relation}

    def relation(self, asset: str) -> Relation | None:
        """The same of one asset."""
        return self.read(_relation_key(asset), _ALL_RELATIONS)

    def save_relation(self, relation: Relation) -> None:
        """In the place of what was known of the asset. One that says nothing is not kept."""
        if relation == Relation(relation.asset):
            self.forget_relation(relation.asset)
            return
        body = _ALL_RELATIONS.dump_json(relation, exclude_defaults=True)
        self._objects.put(_relation_key(relation.asset), body)

    def forget_relation(self, asset: str) -> None:
        """The relation is dropped."""
        self._objects.delete(_relation_key(asset))

    def tombstones(self) -> Tombstones:
        """Who was forgotten; nobody, under a new salt, before the first."""
        return self.read(_TOMBSTONES, _ALL_TOMBSTONES, _RESTORE) or Tombstones(
            secrets.token_hex(32)
        )

    def save_tombstones(self, tombstones: Tombstones) -> None:
        self._objects.put(_TOMBSTONES, _ALL_TOMBSTONES.dump_json(tombstones))

    def read(
        self,
        key: str,
        adapter: TypeAdapter[T],
        remedy: str = "Delete that file and run csq sync: what it said is found out again.",
    ) -> T | None:
        """The document, None where there is none."""
        try:
            return adapter.validate_json(self._objects.read(key))
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise StorageError(
                f"{self._objects.url}/{key} is damaged: {error.errors()[0]['msg']}",
                remedy=remedy,
            ) from error


def _relation_key(asset: str) -> str:
    return f"{_RELATIONS}{content_hash(asset.encode())[:32]}.json"


def content_hash(body: bytes) -> str:
    """The SHA-256: what tells one delivery of a manifest from another."""
    return hashlib.sha256(body).hexdigest()


def side_by_side(work: Callable[[K], T], keys: Iterable[K]) -> list[T]:
    """Read or write small documents, several at once; results are in the order of the keys."""
    with closing(map_in_order(work, keys, workers=_AT_ONCE)) as results:
        return list(results)
